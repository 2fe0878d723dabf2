// The ratings panel of a film: what everybody gives, as it changes --------------------------------

const ratings = document.getElementById("ratings");

let version = ratings ? Number(ratings.dataset.version) : 0;
// Answers may overtake each other on one connection, but a new connection starts afresh.
let oldest = version;
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
  const changed = tally.version !== version;
  version = oldest = tally.version;
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
    if (checked) ratings.dispatchEvent(new CustomEvent("yours", { detail: checked.value }));
  } catch {
    // The stream tells when to try again.
  }
}

function watch() {
  const stream = new EventSource(ratings.dataset.live);
  stream.onopen = () => {
    oldest = 0;
  };
  const online = (is) => (part("online").hidden = !is);
  stream.onmessage = (event) => {
    show(JSON.parse(event.data));
    const back = wasAway || !part("away").hidden;
    wasAway = false;
    showAway(false);
    online(true);
    if (back || "unknown" in ratings.dataset) askYours();
  };
  stream.addEventListener("away", () => showAway(true));
  stream.onerror = () => {
    online(false);
    // Browsers come back by themselves unless the answer was none of ours.
    if (stream.readyState === EventSource.CLOSED) {
      stream.close();
      setTimeout(watch, 1000);
    }
  };
  addEventListener("pagehide", () => stream.close(), { once: true });
}

if (ratings) watch();
