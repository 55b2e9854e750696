// Python in a worker, so that the page stays responsive. Messages: {id, request} in; {facts}, {id, answer}, {failed} out.
import { loadPyodide } from "./pyodide/pyodide.mjs";

async function start() {
  const [python, packages, linter] = await Promise.all([
    loadPyodide({ indexURL: new URL("./pyodide/", import.meta.url).href }),
    load("packages.zip").then((response) => response.arrayBuffer()),
    load("linter.py").then((response) => response.text()),
  ]);
  python.unpackArchive(packages, "zip", { extractDir: "/packages" });
  python.runPython("import sys; sys.path.insert(0, '/packages')");
  const module = python.globals.get("dict")();
  python.runPython(linter, { globals: module });
  return { facts: module.get("facts"), answer: module.get("answer") };
}

async function load(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

const ready = start();
ready.then(
  ({ facts }) => postMessage({ facts: JSON.parse(facts()) }),
  (error) => postMessage({ failed: String(error) }),
);

onmessage = async ({ data: { id, request } }) => {
  try {
    const { answer } = await ready;
    postMessage({ id, answer: JSON.parse(answer(JSON.stringify(request))) });
  } catch (error) {
    postMessage({ id, answer: { error: "the linter failed", remedy: String(error).trim().split("\n").pop() } });
  }
};
