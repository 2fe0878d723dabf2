// What keyboard and screen reader need: names, landmarks, headings in order, a focus that is seen.
import assert from "node:assert/strict";

export const PATHS = ["/", "/browse?genre=Horror", "/search?q=man", "/charts", "/ratings", "/movies/metropolis-1927", "/name"];

// Runs in the page; what is wrong with it, in words.
function faults() {
  const wrong = [];
  const told = (element) => element.outerHTML.slice(0, 90);
  const hidden = (element) => element.closest("[aria-hidden=true], [hidden]") !== null;
  const name = (element) => {
    const by = element.getAttribute("aria-labelledby");
    const text = by ? by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ") : "";
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
    return [element.getAttribute("aria-label"), text, labels, element.textContent].join(" ").trim();
  };
  for (const control of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!hidden(control) && name(control) === "") wrong.push(`a control without a name: ${told(control)}`);
  }
  for (const landmark of document.querySelectorAll("nav, section, [role=radiogroup], [role=listbox], table")) {
    const named = landmark.tagName === "TABLE" ? landmark.caption?.textContent : landmark.getAttribute("aria-label") ?? landmark.getAttribute("aria-labelledby");
    if (!hidden(landmark) && !named) wrong.push(`without a label: ${told(landmark)}`);
  }
  for (const landmark of ["header", "main", "footer", "nav", "[role=search]"]) {
    if (!document.querySelector(landmark)) wrong.push(`no ${landmark}`);
  }
  let level = 0;
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")];
  for (const heading of headings) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) wrong.push(`${heading.tagName} after H${level}: ${heading.textContent}`);
    level = next;
  }
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids.filter((id, index) => ids.indexOf(id) !== index)) wrong.push(`the id ${id} twice`);
  for (const [attribute, many] of [["aria-labelledby", true], ["aria-describedby", true], ["aria-controls", false], ["for", false]]) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const wanted = many ? element.getAttribute(attribute).split(" ") : [element.getAttribute(attribute)];
      for (const id of wanted) if (!document.getElementById(id)) wrong.push(`${attribute} names nothing: ${told(element)}`);
    }
  }
  for (const image of document.querySelectorAll("img")) {
    if (!image.hasAttribute("alt")) wrong.push(`an image without alt: ${told(image)}`);
    if (!image.width || !image.height) wrong.push(`an image of no known size: ${told(image)}`);
  }
  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title) wrong.push("no title");
  return wrong;
}

// Whether what has the focus shows it; runs in the page.
function focusIsSeen() {
  const focused = document.activeElement;
  if (focused === document.body) return "";
  const rings = [focused, focused.closest("label"), focused.closest(".card")].filter(Boolean);
  const seen = rings.some((element) => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
  return seen ? "" : focused.outerHTML.slice(0, 120);
}

export default async function (visit) {
  await visit.check("every control has a name, headings are in order, landmarks are there", async () => {
    for (const name of [undefined, "robin"]) {
      const page = await visit.open("/", { name });
      for (const path of PATHS) {
        await page.goto(visit.url + path);
        assert.deepEqual(await page.evaluate(faults), [], `${path} of ${name ?? "nobody"}`);
      }
      await page.context().close();
    }
  });

  await visit.check("the focus is seen on everything that Tab reaches", async () => {
    const page = await visit.open("/", { name: "robin" });
    for (const path of PATHS) {
      await page.goto(visit.url + path);
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(focusIsSeen), "", `${path} after ${presses + 1} presses`);
      }
    }
    await page.context().close();
  });

  await visit.check("the first press of Tab offers to skip to the content", async () => {
    const page = await visit.open("/");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.context().close();
  });
}
