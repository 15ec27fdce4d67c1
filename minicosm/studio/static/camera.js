// From metres to pixels of the page: where one looks, and how near.

export class Camera {
  constructor() {
    this.centre = [2.5, 2.5];
    this.scale = 100; // pixels a metre
    this.width = 1;
    this.height = 1;
    this.inset = { left: 0, right: 0, top: 0, bottom: 0 }; // covered by panels
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
  }

  /** Show all of [left, bottom, right, top] in what no panel covers. */
  fit([left, bottom, right, top]) {
    const { inset } = this;
    const width = Math.max(80, this.width - inset.left - inset.right), height = Math.max(80, this.height - inset.top - inset.bottom);
    this.scale = Math.min(width / (right - left), height / (top - bottom));
    const shift = [(inset.right - inset.left) / 2 / this.scale, (inset.top - inset.bottom) / 2 / this.scale];
    this.centre = [(left + right) / 2 + shift[0], (bottom + top) / 2 + shift[1]];
  }

  /** The middle of what no panel covers, in metres. */
  get middle() {
    const { inset } = this;
    return this.toWorld([(inset.left + this.width - inset.right) / 2, (inset.top + this.height - inset.bottom) / 2]);
  }

  toScreen(point) {
    return [this.width / 2 + (point[0] - this.centre[0]) * this.scale, this.height / 2 - (point[1] - this.centre[1]) * this.scale];
  }

  toWorld(point) {
    return [this.centre[0] + (point[0] - this.width / 2) / this.scale, this.centre[1] - (point[1] - this.height / 2) / this.scale];
  }

  /** By pixels. */
  pan(dx, dy) {
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] + dy / this.scale];
  }

  /** What lies under `point` (pixels) stays there. */
  zoom(factor, point) {
    const fixed = this.toWorld(point);
    this.scale = Math.min(4000, Math.max(8, this.scale * factor));
    const moved = this.toWorld(point);
    this.centre = [this.centre[0] + fixed[0] - moved[0], this.centre[1] + fixed[1] - moved[1]];
  }
}
