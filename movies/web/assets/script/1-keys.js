// Everything but the live parts works without these files, through links and forms. They are one
// script, in the order of their names.
"use strict";

// Single keys that do something -----------------------------------------------------------------
//
// They can be switched off at the foot of every page: who dictates types letters without meaning to.

const keys = { on: true };

function startKeys() {
  const button = document.querySelector("[data-keys-switch]");
  const set = (on) => {
    keys.on = on;
    button.setAttribute("aria-pressed", on);
    button.textContent = on ? "Keys are on" : "Keys are off";
    document.documentElement.classList.toggle("keys-off", !on);
  };
  try {
    set(localStorage.getItem("keys") !== "off");
  } catch {
    // Some browsers keep nothing; then the switch lasts as long as the page.
  }
  button.addEventListener("click", () => {
    set(!keys.on);
    try {
      localStorage.setItem("keys", keys.on ? "on" : "off");
    } catch {
      // As above.
    }
  });
}

// Whether a key was meant for the page and not for a field.
function isForPage(event) {
  if (!keys.on || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return false;
  return !event.target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]");
}

startKeys();
