// What the page asks of its server. Mistakes come back as errors whose message is a sentence for people.

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The studio’s server does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  let reason = `the server answered ${answer.status}`;
  try { reason = (await answer.json()).error || reason; } catch { /* no sentence came along */ }
  throw Object.assign(new Error(reason.charAt(0).toUpperCase() + reason.slice(1)), { status: answer.status });
}

const sent = (method, data) => ({ method, headers: { "content-type": "application/json" }, body: typeof data === "string" ? data : JSON.stringify(data) });
const json = async (promise) => (await promise).json();

export const hello = () => json(asked("/api/hello"));
export const check = (level) => json(asked("/api/check", sent("POST", level)));
export const randomLevel = (size, kind) => json(asked("/api/random", sent("POST", { size, kind })));
export const mutated = (level) => json(asked("/api/mutate", sent("POST", { level })));
export const imported = (text, name) => json(asked(`/api/import?name=${encodeURIComponent(name)}`, sent("POST", text)));
export const randomMap = () => json(asked("/api/map", sent("POST", {})));
export const maps = () => json(asked("/api/maps"));
export const libraryMap = (name) => json(asked(`/api/maps/${encodeURIComponent(name)}`));
export const library = () => json(asked("/api/library"));
export const libraryLevel = (name) => json(asked(`/api/library/${encodeURIComponent(name)}`));
export const libraryFilm = (name) => json(asked(`/api/library/${encodeURIComponent(name)}/film`));
export const levels = () => json(asked("/api/levels"));
export const openLevel = (name) => json(asked(`/api/levels/${encodeURIComponent(name)}`));
export const saveLevel = (name, level, overwrite) => json(asked(`/api/levels/${encodeURIComponent(name)}`, sent("PUT", { level, overwrite })));
export const exported = async (what, level, runs, dark) => (await asked("/api/export", sent("POST", { what, level, runs, dark }))).blob();

export function socket(path) {
  return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
}
