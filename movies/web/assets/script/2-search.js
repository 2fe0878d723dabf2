// The search box offers films while one types (the combobox pattern of ARIA) ----------------------

function startSearch(form) {
  const input = form.querySelector("input");
  const list = document.createElement("ul");
  const said = document.createElement("span");
  list.id = "options";
  list.className = "options";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Films");
  said.className = "hidden";
  said.setAttribute("role", "status");
  form.append(list, said);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  let waiting = 0;
  let asked = new AbortController();
  let shown = "";
  let place = -1;
  const options = () => [...list.querySelectorAll("[role=option]")];

  function choose(next) {
    const all = options();
    all[place]?.setAttribute("aria-selected", "false");
    place = next;
    const option = all[place];
    if (!option) return input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function open(is) {
    list.hidden = !is;
    input.setAttribute("aria-expanded", is);
    if (!is) choose(-1);
  }

  function close() {
    clearTimeout(waiting);
    asked.abort();
    shown = "";
    open(false);
  }

  async function ask() {
    const words = input.value.trim();
    if (words === "") return close();
    if (words === shown) return open(true);
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    try {
      const answer = await fetch(`/search/suggest?q=${encodeURIComponent(words)}`, { signal });
      const films = answer.ok ? await answer.text() : "";
      if (signal.aborted || document.activeElement !== input) return;
      shown = answer.ok ? words : "";
      choose(-1);
      list.innerHTML = films;
      const count = options().length;
      if (count === 0) {
        const none = document.createElement("li");
        none.className = "none";
        none.setAttribute("role", "presentation");
        none.textContent = answer.ok ? "Nothing matches; fewer letters find more." : "Nothing to offer just now; Enter searches.";
        list.append(none);
      }
      said.textContent = count === 0 ? "No films" : `${count} ${count === 1 ? "film" : "films"}`;
      open(true);
    } catch {
      // Typed on, or no answer: the form still works.
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const count = options().length;
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      return close();
    }
    if (event.key === "Enter" && !list.hidden && place >= 0) {
      event.preventDefault();
      location.href = options()[place].dataset.href;
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey) return;
    event.preventDefault();
    if (list.hidden) return ask();
    // One place more than there are films: back in the box itself.
    if (count > 0) choose(((place + 1 + step + count + 1) % (count + 1)) - 1);
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) location.href = option.dataset.href;
  });
  input.addEventListener("blur", close);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || !isForPage(event)) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
}

const search = document.querySelector(".search");
if (search) startSearch(search);
