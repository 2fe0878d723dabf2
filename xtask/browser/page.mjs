// The page as people use it. Started by `cargo xtask test --only page`:
//
//   node page.mjs --url http://127.0.0.1:8080 --chromium PATH --driver FOLDER --screenshots FOLDER
//
// Every check is a line; the first that fails ends the run with a screenshot and status 1.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import access from "./page/access.mjs";
import lists from "./page/lists.mjs";
import looks from "./page/looks.mjs";
import plain from "./page/plain.mjs";
import rating from "./page/rating.mjs";
import search from "./page/search.mjs";
import weight from "./page/weight.mjs";
import { Visit, options } from "./visit.mjs";

const given = options("url", "chromium", "driver", "screenshots");
rmSync(given.screenshots, { recursive: true, force: true });
const visit = await Visit.start(given);
try {
  await visit.ready();
  for (const part of [search, rating, lists, plain, access, weight, looks]) await part(visit);
  await visit.check("no script failed, and nothing was asked of anybody else", () =>
    assert.deepEqual(visit.complaints, []),
  );
} catch (error) {
  console.error(error.message);
  for (const complaint of visit.complaints) console.error(complaint);
  for (const [index, page] of visit.pages.entries()) {
    const path = join(visit.folder, `failure-${index + 1}.png`);
    // A page that is closed has nothing to show.
    await page.screenshot({ path }).then(() => console.error(`see ${path}`), () => {});
  }
  process.exitCode = 1;
} finally {
  await visit.browser.close();
}
