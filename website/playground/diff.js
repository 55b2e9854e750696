/** Lines of two texts as [sign, line]: " " in both, "-" only before, "+" only after. Longest common subsequence between
 *  the lines that differ. */
export function diff(before, after) {
  const old = before.split("\n"), now = after.split("\n");
  let start = 0, end = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start++;
  while (end < old.length - start && end < now.length - start && old.at(-1 - end) === now.at(-1 - end)) end++;
  const same = (line) => [" ", line];
  return [
    ...old.slice(0, start).map(same),
    ...middle(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...old.slice(old.length - end).map(same),
  ];
}

function middle(old, now) {
  if (old.length * now.length > 4_000_000) return [...old.map((line) => ["-", line]), ...now.map((line) => ["+", line])];
  const longest = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      longest[i][j] = old[i] === now[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const out = [];
  let i = 0, j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) { out.push([" ", old[i]]); i++; j++; }
    else if (j === now.length || (i < old.length && longest[i + 1][j] >= longest[i][j + 1])) out.push(["-", old[i++]]);
    else out.push(["+", now[j++]]);
  }
  return out;
}
