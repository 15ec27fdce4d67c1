// A level in a link: compressed, in the part of an address that browsers send to nobody.

const PREFIX = "#level=";

async function through(bytes, stream) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(reader).arrayBuffer());
}

export async function linkOf(file) {
  const packed = await through(new TextEncoder().encode(JSON.stringify(file)), new CompressionStream("deflate-raw"));
  const text = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(""));
  return `${location.origin}/${PREFIX}${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** The text of the level in this page's address; null where there is none. */
export async function sharedText() {
  if (!location.hash.startsWith(PREFIX)) return null;
  const text = atob(location.hash.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = await through(Uint8Array.from(text, (c) => c.charCodeAt(0)), new DecompressionStream("deflate-raw"));
  return new TextDecoder().decode(bytes);
}
