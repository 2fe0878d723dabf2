// Live ratings, rating with one click, and pages that mend themselves. Without this file all but
// the live part works through the forms.
"use strict";

const ratings = document.getElementById("ratings");
const form = document.getElementById("rate");

// The ratings panel ---------------------------------------------------------------------------

let shown = ratings ? Number(ratings.dataset.version) : 0;
// Answers may overtake each other on one connection, but a new connection starts afresh.
let oldest = shown;
let wasAway = false;

function part(name) {
  return ratings.querySelector(`[data-${name}]`);
}

function countWords(count) {
  if (count === 0) return "no ratings yet";
  return count === 1 ? "1 rating" : `${count.toLocaleString("en")} ratings`;
}

// Shows a tally unless a newer one is shown already.
function show(tally) {
  if (tally.version < oldest) return;
  const changed = tally.version !== shown;
  shown = oldest = tally.version;
  const percent = tally.mean === null ? 0 : Math.round(parseFloat(tally.mean) * 20);
  part("mean").textContent = tally.mean ?? "–";
  part("count").textContent = countWords(tally.count);
  ratings.querySelector(".stars .on").setAttribute("width", percent);
  const most = Math.max(1, ...tally.histogram);
  const bars = ratings.querySelectorAll(".histogram rect");
  const cells = part("cells").rows;
  tally.histogram.forEach((count, index) => {
    const height = (100 * count) / most;
    bars[index].setAttribute("y", 100 - height);
    bars[index].setAttribute("height", height);
    const words = cells[index].cells[0].textContent;
    bars[index].querySelector("title").textContent = `${words}: ${count}`;
    cells[index].cells[1].textContent = count;
  });
  if (changed) announce(tally);
}

// Says changes to screen readers, but not each of a rush of them.
let announcing = 0;
function announce(tally) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const mean = tally.mean === null ? "nobody has rated it" : `${tally.mean} of 5 stars`;
    part("said").textContent = `${mean}, ${countWords(tally.count)}`;
  }, 1500);
}

function showAway(away) {
  part("away").hidden = !away;
  ratings.classList.toggle("is-away", away);
  if (away) wasAway = true;
}

// What the visitor gave is not in the stream: it is asked for once ratings are back.
async function askYours() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (page.querySelector("[data-unknown]")) return;
    delete ratings.dataset.unknown;
    const checked = page.querySelector(".picker input:checked");
    if (!form.querySelector(":checked") && checked) mark(checked.value, page.querySelector("[data-chosen]").textContent);
  } catch {
    // The stream tells when to try again.
  }
}

function watch() {
  const stream = new EventSource(ratings.dataset.live);
  stream.onopen = () => {
    oldest = 0;
  };
  stream.onmessage = (event) => {
    show(JSON.parse(event.data));
    const back = wasAway || !part("away").hidden;
    wasAway = false;
    showAway(false);
    if (back || "unknown" in ratings.dataset) askYours();
  };
  stream.addEventListener("away", () => showAway(true));
  stream.onerror = () => {
    // Browsers come back by themselves unless the answer was none of ours.
    if (stream.readyState === EventSource.CLOSED) {
      stream.close();
      setTimeout(watch, 1000);
    }
  };
  addEventListener("pagehide", () => stream.close(), { once: true });
}

// Rating --------------------------------------------------------------------------------------

let clicks = 0;
let sending = false;
let wish = null;
let kept = form?.querySelector(".picker input:checked")?.value ?? null;

function say(text, field = "value") {
  const note = form.querySelector("[data-note]");
  note.textContent = text;
  note.hidden = text === "";
  form.querySelector("#name")?.toggleAttribute("aria-invalid", field === "name" && text !== "");
}

// Says what is chosen, beside the stars.
function tellChosen(words) {
  const chosen = form.querySelector("[data-chosen]");
  chosen.textContent = words || chosen.dataset.none;
}

// Marks a rating as the visitor's.
function mark(value, words) {
  kept = value;
  for (const input of form.querySelectorAll(".picker input")) input.checked = input.value === value;
  tellChosen(words);
  const back = form.querySelector("[data-back]");
  if (back) back.hidden = value === null;
  const bars = ratings.querySelectorAll(".histogram rect");
  bars.forEach((bar, index) => bar.classList.toggle("yours", value !== null && index === Number(value) * 2 - 1));
}

// Sends the latest wish; one that comes meanwhile waits, so that the last click wins.
async function send() {
  if (sending) return;
  sending = true;
  while (wish !== null) {
    const { value, key } = wish;
    wish = null;
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(new URL(form.action).pathname + (value === null ? "/delete" : ""), {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams(value === null ? { key } : { key, value }),
        signal: AbortSignal.timeout(10000),
      });
      const said = await answer.json();
      if (answer.ok) {
        say("");
        show(said.tally);
        if (wish === null) mark(said.yours, said.words);
        part("said").textContent = said.yours === null ? "Your rating is taken back." : `You gave it ${said.words}.`;
      } else {
        say(said.message, said.field);
        if (wish === null) mark(kept, words(kept));
      }
    } catch {
      say("Your rating could not be sent. Please try again in a moment.");
      if (wish === null) mark(kept, words(kept));
    }
  }
  form.removeAttribute("aria-busy");
  sending = false;
}

function words(value) {
  if (value === null) return "";
  return form.querySelector(`input[value="${value}"]`).parentElement.querySelector(".hidden").textContent;
}

// Each click is one write with a key of its own: sent twice, it counts once.
function want(value) {
  clicks += 1;
  wish = { value, key: `${form.elements.key.value}-${clicks}` };
  tellChosen(words(value));
  send();
}

function startRating() {
  const named = !form.elements.name;
  const inputs = [...form.querySelectorAll(".picker input")];
  let pending = 0;
  let byKey = false;
  form.querySelector(".picker").addEventListener("keydown", (event) => {
    byKey = true;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const place = "1234567890".indexOf(event.key);
    if (place < 0) return;
    event.preventDefault();
    inputs[place].focus();
    inputs[place].checked = true;
    inputs[place].dispatchEvent(new Event("change", { bubbles: true }));
  });
  form.querySelector(".picker").addEventListener("pointerdown", () => (byKey = false));
  form.querySelector(".picker").addEventListener("change", (event) => {
    const { value } = event.target;
    tellChosen(words(value));
    if (!named) {
      const name = form.elements.name;
      if (!byKey && name.value.trim() === "") name.focus();
      return;
    }
    clearTimeout(pending);
    // Arrows pass over stars on the way to the one that is meant.
    pending = setTimeout(() => want(value), byKey ? 450 : 0);
  });
  form.addEventListener("submit", (event) => {
    if (!named) return;
    event.preventDefault();
    clearTimeout(pending);
    if (event.submitter?.hasAttribute("data-back")) {
      want(null);
      inputs[0].focus();
    } else {
      const checked = form.querySelector(":checked");
      if (checked) want(checked.value);
    }
  });
}

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

if (ratings) watch();
if (form) startRating();
if (document.querySelector("[data-retry]")) setTimeout(lookAgain, 2000);
// A page that comes back from the browser's own store shows what was; ask for what is.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
