// Takes the pictures of the README. Started by `cargo xtask pictures`:
//
//   node pictures.mjs --url http://127.0.0.1:8080 --chromium PATH --driver FOLDER --screenshots FOLDER
import { NARROW, Visit, options } from "./visit.mjs";

const WINDOW = { width: 1200, height: 800 };
const VISITOR = "robin";
// What the visitor has rated, so that the pictures are not of a stranger.
const RATED = { "spirited-away-2001": 5, "nosferatu-1922": 4, "the-general-1926": 4.5, "alien-1979": 4.5 };

const visit = await Visit.start(options("url", "chromium", "driver", "screenshots"));
try {
  await visit.ready();
  const page = await visit.open("/", { name: VISITOR, viewport: WINDOW });
  for (const [film, stars] of Object.entries(RATED)) {
    await page.goto(`${visit.url}/movies/${film}`);
    const said = page.locator("[data-said]", { hasText: "You gave it" });
    await page.locator(".picker label", { has: page.locator(`input[value="${stars}"]`) }).click();
    await said.waitFor({ state: "attached" });
  }
  const pictures = [
    ["home", "/", { name: undefined, viewport: { width: 1200, height: 1130 } }],
    ["film", "/movies/alien-1979", { colorScheme: "dark" }],
    ["chart", "/charts", {}],
    ["phone", "/", { viewport: { ...NARROW, height: 780 }, isMobile: true, colorScheme: "dark", deviceScaleFactor: 2 }],
  ];
  for (const [name, path, settings] of pictures) {
    const shown = await visit.open(path, { name: VISITOR, viewport: WINDOW, ...settings });
    if (name === "film") await shown.locator("[data-online]:not([hidden])").waitFor();
    await visit.picture(shown, name);
    await shown.context().close();
  }
  const search = await visit.open("/browse", { viewport: WINDOW });
  await search.keyboard.press("/");
  await search.keyboard.type("kur");
  await search.locator("[role=option]").first().waitFor();
  await search.keyboard.press("ArrowDown");
  await visit.picture(search, "search");
} finally {
  await visit.browser.close();
}
