// Confetti: the one thing here that is not physics.

const COLOURS = ["#3ec478", "#2464e2", "#f7a61e", "#d0242e", "#9c5cd2", "#1abcd6"];

export function celebrate(canvas) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const width = (canvas.width = canvas.clientWidth), height = (canvas.height = canvas.clientHeight), ctx = canvas.getContext("2d");
  const bits = Array.from({ length: 140 }, () => ({
    x: width * (0.5 + (Math.random() - 0.5) * 0.3), y: height * 0.3, vx: (Math.random() - 0.5) * 900, vy: -200 - Math.random() * 650,
    turn: Math.random() * 6, spin: (Math.random() - 0.5) * 14, size: 6 + Math.random() * 7, colour: COLOURS[Math.floor(Math.random() * COLOURS.length)],
  }));
  let last = performance.now();
  const start = last;
  const frame = (now) => {
    const dt = Math.min(0.05, (now - last) / 1000);
    last = now;
    ctx.clearRect(0, 0, width, height);
    if (now - start > 3200 || !canvas.isConnected) return;
    ctx.globalAlpha = Math.min(1, (3200 - (now - start)) / 700);
    for (const bit of bits) {
      bit.vy += 1100 * dt; bit.vx *= 0.985; bit.x += bit.vx * dt; bit.y += bit.vy * dt; bit.turn += bit.spin * dt;
      ctx.save();
      ctx.translate(bit.x, bit.y);
      ctx.rotate(bit.turn);
      ctx.scale(1, Math.cos(bit.turn * 1.7));
      ctx.fillStyle = bit.colour;
      ctx.fillRect(-bit.size / 2, -bit.size / 4, bit.size, bit.size / 2);
      ctx.restore();
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
