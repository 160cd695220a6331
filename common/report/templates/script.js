"use strict";
// The table of all samples: search, sort, and rows a page at a time. Without this script all rows are simply there.
(() => {
  const PAGE_ROWS = 50;
  const table = document.getElementById("all");
  const body = table.tBodies[0];
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const more = document.getElementById("more");
  const rows = Array.from(body.rows);
  const texts = new Map(rows.map((row) => [row, row.textContent.normalize("NFC").toLowerCase()]));
  let shown = PAGE_ROWS;

  const matching = () => {
    const words = search.value.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => words.every((word) => texts.get(row).includes(word)));
  };

  const update = () => {
    const matches = matching();
    const visible = new Set(matches.slice(0, shown));
    for (const row of rows) row.hidden = !visible.has(row);
    const all = matches.length === rows.length ? "" : ` of ${rows.length}`;
    found.textContent = `${matches.length}${all} ${rows.length === 1 ? "sample" : "samples"}`;
    more.hidden = matches.length <= shown;
    more.textContent = `Show ${Math.min(matches.length - shown, 4 * PAGE_ROWS)} more`;
  };

  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent;
  };

  const sort = (column, direction) => {
    const isNumber = table.tHead.rows[0].cells[column].classList.contains("number");
    const order = isNumber
      ? (a, b) => Number(key(a, column)) - Number(key(b, column))
      : (a, b) => key(a, column).localeCompare(key(b, column), undefined, { numeric: true });
    rows.sort((a, b) => direction * order(a, b));
    body.append(...rows);
  };

  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const isAscending = head.getAttribute("aria-sort") === "ascending";
      const isNew = !head.hasAttribute("aria-sort");
      const ascending = isNew ? !head.classList.contains("number") : !isAscending;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sort(column, ascending ? 1 : -1);
      update();
    });
  });

  search.addEventListener("input", () => {
    shown = PAGE_ROWS;
    update();
  });
  more.addEventListener("click", () => {
    shown += 4 * PAGE_ROWS;
    update();
  });
  update();

  // One sound at a time.
  document.addEventListener(
    "play",
    (event) => {
      for (const sound of document.querySelectorAll("audio")) if (sound !== event.target) sound.pause();
    },
    true,
  );
})();
