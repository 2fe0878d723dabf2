// A page that could not be served -------------------------------------------------------------

async function lookAgain() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) return location.reload();
  } catch {
    // Then later.
  }
  setTimeout(lookAgain, 2000);
}

if (document.querySelector("[data-retry]")) setTimeout(lookAgain, 2000);
// A page that comes back from the browser's own store shows what was; ask for what is.
addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector("[data-rate]")) location.reload();
});
