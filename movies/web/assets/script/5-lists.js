// Long lists grow where they are, and tables sort where they are ----------------------------------

// Adds the next page to the list. The address becomes that page's, so that one who leaves comes
// back to where they were.
async function grow(link) {
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const added = [...page.querySelectorAll("[data-grid] > li")];
    if (!answer.ok || added.length === 0) throw new Error("no list");
    document.querySelector("[data-grid]").append(...added);
    const next = page.querySelector("[data-ways] [rel=next]");
    history.replaceState(null, "", link.href);
    if (next) link.replaceWith(next);
    else link.remove();
    for (const item of added) item.querySelectorAll("[data-rate]").forEach(startRating);
    added[0].querySelector("a").focus({ preventScroll: true });
  } catch {
    location.href = link.href;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-ways] [rel=next]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (!link.hasAttribute("aria-busy")) grow(link);
});

function startSorting(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => row.cells[column].dataset.key;
  const compare = (one, other) => {
    const [left, right] = [Number(one), Number(other)];
    if (!Number.isNaN(left) && !Number.isNaN(right)) return left - right;
    return one < other ? -1 : Number(one > other);
  };
  table.tHead.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const head = link.closest("th");
    const column = heads.indexOf(head);
    const before = head.getAttribute("aria-sort");
    const falls = before ? before === "ascending" : head.dataset.first === "desc";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const rows = [...body.rows].sort((one, other) => compare(key(one, 0), key(other, 0)));
    rows.sort((one, other) => compare(key(one, column), key(other, column)));
    if (falls) rows.reverse();
    body.append(...rows);
    const address = new URL(link.href);
    address.searchParams.set("dir", falls ? "desc" : "asc");
    history.replaceState(null, "", address);
  });
}

document.querySelectorAll("[data-sortable]").forEach(startSorting);
