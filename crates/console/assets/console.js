// Parts of the page that come anew by themselves. Whoever stands in one with the keyboard stays there.

"use strict";

const state = document.querySelector("[data-live-state]");

function say(word, text) {
  state.className = `live ${word}`;
  if (state.textContent !== text) state.textContent = text;
}

// Which link or button of a part has the focus: by what it leads to, or by its place.
function focused(panel) {
  const has = document.activeElement;
  if (!has || has === panel || !panel.contains(has)) return null;
  const all = [...panel.querySelectorAll("a, button")];
  const href = has.getAttribute("href");
  return { href, place: all.indexOf(has) };
}

function focus(panel, was) {
  if (!was) return;
  const all = [...panel.querySelectorAll("a, button")];
  const same = was.href && all.find((one) => one.getAttribute("href") === was.href);
  (same || all[was.place] || panel.closest("main")).focus({ preventScroll: true });
}

function follow(live) {
  const source = new EventSource(live.dataset.live);
  source.onopen = () => say("on", "Live");
  source.onerror = () => say("off", "Away, trying again");
  for (const panel of live.querySelectorAll("[data-panel]")) {
    source.addEventListener(panel.dataset.panel, (event) => {
      const was = focused(panel);
      // What comes is drawn by the templates, which escape all that is not theirs.
      panel.innerHTML = event.data;
      focus(panel, was);
    });
  }
  source.addEventListener("end", () => {
    source.close();
    say("", "");
  });
}

const live = document.querySelector("[data-live]");
if (live) follow(live);

// What cannot be taken back is asked about once more.
document.addEventListener("submit", (event) => {
  const sure = event.submitter && event.submitter.dataset.sure;
  if (sure && !window.confirm(sure)) event.preventDefault();
});
