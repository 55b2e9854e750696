// The state in the URL's fragment, which browsers never send: deflated JSON in base64url.
const MARK = "#v1=";
const LARGEST = 2_000_000; // characters of JSON that a link may unpack to

export async function encode(state) {
  const bytes = new Uint8Array(await new Response(piped(JSON.stringify(state), new CompressionStream("deflate-raw"))).arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return MARK + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The state of a fragment; null where it holds none, or one that is no state of ours. */
export async function decode(fragment) {
  if (!fragment.startsWith(MARK)) return null;
  try {
    const binary = atob(fragment.slice(MARK.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const state = JSON.parse(await limited(piped(bytes, new DecompressionStream("deflate-raw"))));
    return valid(state) ? state : null;
  } catch {
    return null;
  }
}

function piped(data, stream) {
  return new Blob([data]).stream().pipeThrough(stream);
}

async function limited(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
    if (text.length > LARGEST) throw new Error("too large");
  }
}

function valid(state) {
  return Array.isArray(state?.files) && state.files.length > 0 && state.files.length <= 50
    && state.files.every((file) => typeof file?.path === "string" && typeof file?.text === "string");
}
