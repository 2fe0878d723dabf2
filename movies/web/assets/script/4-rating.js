// Rating with one click or key -------------------------------------------------------------------

// Makes a form rate by itself. `named` visitors rate at once; others have to say who they are.
function startRating(form) {
  const named = !form.elements.name;
  const onFilm = ratings?.contains(form);
  const inputs = [...form.querySelectorAll(".picker input")];
  const picker = form.querySelector(".picker");
  const chosen = form.querySelector("[data-chosen]");
  const back = form.querySelector("[data-back]");
  const note = form.querySelector("[data-note]");
  const said = onFilm ? part("said") : document.querySelector("[data-said]");
  let clicks = 0;
  let sending = false;
  let wish = null;
  let kept = picker.querySelector(":checked")?.value ?? null;
  let pending = 0;
  let byKey = false;

  const words = (value) =>
    value === null ? "" : inputs.find((input) => input.value === value).parentElement.querySelector(".hidden").textContent;

  function say(text, field = "value") {
    note.textContent = text;
    note.hidden = text === "";
    form.querySelector("#name")?.toggleAttribute("aria-invalid", field === "name" && text !== "");
  }

  // Says what is chosen, beside the stars.
  function tellChosen(value) {
    chosen.textContent = words(value) || chosen.dataset.none;
  }

  // Marks a rating as the visitor's.
  function mark(value) {
    kept = value;
    for (const input of inputs) input.checked = input.value === value;
    tellChosen(value);
    if (back) back.hidden = value === null;
    if (!onFilm) return;
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
        const told = await answer.json();
        if (answer.ok) {
          say("");
          if (onFilm) show(told.tally);
          if (wish === null) mark(told.yours);
          said.textContent = told.yours === null ? "Your rating is taken back." : `You gave it ${told.words}.`;
        } else {
          say(told.message, told.field);
          if (wish === null) mark(kept);
        }
      } catch {
        say("Your rating could not be sent. Please try again in a moment.");
        if (wish === null) mark(kept);
      }
    }
    form.removeAttribute("aria-busy");
    sending = false;
  }

  // Each click is one write with a key of its own: sent twice, it counts once.
  function want(value) {
    clicks += 1;
    wish = { value, key: `${form.elements.key.value}-${clicks}` };
    tellChosen(value);
    send();
  }

  function takeBack() {
    clearTimeout(pending);
    // One on its way counts as given, though the answer to it is not here yet.
    if (kept === null && !sending) return mark(null);
    want(null);
    inputs[0].focus();
  }

  function pick(place) {
    byKey = true;
    inputs[place].focus();
    inputs[place].checked = true;
    inputs[place].dispatchEvent(new Event("change", { bubbles: true }));
  }

  picker.addEventListener("pointerdown", () => (byKey = false));
  picker.addEventListener("keydown", (event) => {
    byKey = true;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const place = "1234567890".indexOf(event.key);
    if (place >= 0) {
      event.preventDefault();
      pick(place);
    } else if (named && ["Delete", "Backspace"].includes(event.key)) {
      event.preventDefault();
      takeBack();
    }
  });
  picker.addEventListener("change", (event) => {
    const { value } = event.target;
    tellChosen(value);
    if (!named) {
      const name = form.elements.name;
      if (name.value.trim() === "" && !byKey) name.focus();
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
    if (event.submitter === back) return takeBack();
    const checked = picker.querySelector(":checked");
    if (checked) want(checked.value);
  });
  if (!onFilm) return;
  ratings.addEventListener("yours", (event) => {
    if (!picker.querySelector(":checked")) mark(event.detail);
  });
  // On a film's own page the keys work wherever one is.
  document.addEventListener("keydown", (event) => {
    const place = "1234567890".indexOf(event.key);
    if (place < 0 || !isForPage(event) || event.target.closest?.(".picker")) return;
    event.preventDefault();
    pick(place);
  });
}

document.querySelectorAll("[data-rate]").forEach(startRating);
