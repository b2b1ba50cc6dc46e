"use strict";
// Sorting by a column and choosing a verdict; the page is complete without either.
const key = (row, place) => {
  const cell = row.cells[place];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
};
const compare = (a, b) =>
  typeof a === "number" && typeof b === "number" ? a - b
  : typeof a === typeof b ? a.localeCompare(b, "en", { numeric: true })
  : typeof a === "number" ? -1 : 1;
for (const heading of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = heading.textContent;
  heading.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = heading.closest("table").tBodies[0];
    const place = heading.cellIndex;
    const rows = [...body.rows].sort((a, b) => compare(key(a, place), key(b, place)) * (down ? -1 : 1));
    body.append(...rows);
  });
}
const label = document.getElementById("filter");
label.hidden = false;
label.querySelector("select").addEventListener("change", (event) => {
  for (const row of document.querySelectorAll("table.stacked tbody tr")) {
    const cell = row.querySelector('[data-label="verdict"]');
    row.hidden = event.target.value !== "" && cell !== null && cell.textContent.trim() !== event.target.value;
  }
});
// A link to folded evidence opens it.
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", unfold);
unfold();
