// Finding a film by typing, without a mouse.
import assert from "node:assert/strict";

export default async function (visit) {
  const page = await visit.open("/");
  const box = page.locator("#q");

  await visit.check("a slash leads to the search box, and typing offers films", async () => {
    await page.locator("h1").first().waitFor();
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "q");
    assert.equal(await box.inputValue(), "", "the slash itself is not typed");
    await page.keyboard.type("metrop");
    await page.locator("[role=option]", { hasText: "Metropolis" }).waitFor();
    assert.equal(await box.getAttribute("aria-expanded"), "true");
  });

  await visit.check("Escape closes what is offered and keeps what was typed", async () => {
    await page.keyboard.press("Escape");
    await page.locator("#options").waitFor({ state: "hidden" });
    assert.equal(await box.inputValue(), "metrop");
    assert.equal(await box.getAttribute("aria-expanded"), "false");
  });

  await visit.check("an arrow chooses, and Enter opens the film", async () => {
    await page.keyboard.press("ArrowDown");
    await page.locator("#options:not([hidden])").waitFor();
    await page.keyboard.press("ArrowDown");
    const chosen = await box.getAttribute("aria-activedescendant");
    assert.equal(await page.locator(`#${chosen}`).getAttribute("aria-selected"), "true");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/movies/metropolis-1927");
    assert.equal(await page.locator("h1").textContent(), "Metropolis");
  });

  await visit.check("words in any order find, and Enter in the box shows all that was found", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("scott ridl");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname === "/search");
    assert((await page.locator(".grid .card-title").allTextContents()).includes("Alien"));
    assert.equal(await box.inputValue(), "scott ridl");
  });

  await visit.check("a search without a match helps on", async () => {
    const none = await visit.open("/search?q=xyzzy");
    assert.match(await none.locator("h1").textContent(), /Nothing matches/);
    assert((await none.locator(".chip").count()) > 5, "no other ways");
    await none.context().close();
  });
}
