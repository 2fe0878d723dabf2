// The start, lists that grow, and a chart that is sorted by keyboard.
import assert from "node:assert/strict";

export default async function (visit) {
  const page = await visit.open("/");
  const titles = () => page.locator(".chart-table tbody b").allTextContents();

  await visit.check("the start shows the first of the chart and ways into the catalogue", async () => {
    assert((await page.locator(".ranked .card").count()) >= 5, "the chart is too short");
    assert((await page.locator(".tile").count()) > 5, "too few genres");
    assert((await page.locator(".years a").count()) > 5, "too few decades");
  });

  await visit.check("a genre leads to its films, and more of them come where one is", async () => {
    await page.locator(".tile", { hasText: "Drama" }).click();
    await page.waitForURL((url) => url.searchParams.get("genre") === "Drama");
    const before = await page.locator(".grid .card").count();
    await page.locator("a[rel=next]").click();
    await page.locator(".grid .card").nth(before).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.className), "card", "the first new film has the focus");
    assert.match(page.url(), /page=/);
    await page.reload();
    await page.locator("a[rel=prev]").click();
    await page.waitForURL((url) => !url.search.includes("page="));
  });

  await visit.check("a chart is sorted by keyboard, where it is", async () => {
    await page.goto(`${visit.url}/charts`);
    const ranked = await titles();
    const head = page.locator("thead .of-title");
    await head.locator("a").focus();
    await page.keyboard.press("Enter");
    await page.locator("thead .of-title[aria-sort=ascending]").waitFor();
    const rising = await titles();
    assert.notDeepEqual(rising, ranked);
    assert.deepEqual([...rising].sort(), [...ranked].sort(), "the same films");
    await page.keyboard.press("Enter");
    await page.locator("thead .of-title[aria-sort=descending]").waitFor();
    assert.deepEqual(await titles(), rising.reverse());
    assert.equal(await page.locator("[aria-sort]").count(), 1);
    // What the script did, the address says and the server does the same.
    const falling = await titles();
    await page.reload();
    assert.deepEqual(await titles(), falling);
  });

  await visit.check("a film of the chart tells its place and leads back to it", async () => {
    await page.goto(`${visit.url}/charts`);
    await page.locator(".chart-table tbody a").first().click();
    await page.locator(".medal").click();
    await page.waitForURL((url) => url.hash !== "");
    assert.equal(await page.locator("tr:target .of-rank").textContent(), "1");
  });
}
