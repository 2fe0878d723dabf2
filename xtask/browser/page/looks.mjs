// Pages fit their windows, in light and dark; screenshots of all are left to look at.
import assert from "node:assert/strict";

import { PATHS } from "./access.mjs";
import { DESKTOP, NARROW, PHONE } from "../visit.mjs";

function fits(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
}

export default async function (visit) {
  await visit.check("pages fit desktop, phone and a narrow phone, light and dark", async () => {
    for (const colorScheme of ["light", "dark"]) {
      for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE, narrow: NARROW })) {
        const context = await visit.visitor({ colorScheme, viewport, isMobile: device !== "desktop", name: "robin" });
        const page = await visit.tab(context);
        for (const path of PATHS) {
          await page.goto(visit.url + path);
          const name = path.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "start";
          if (device !== "narrow") await visit.picture(page, `${name}-${device}-${colorScheme}`);
          assert(await fits(page), `${path} is wider than the window of a ${device}`);
        }
        await context.close();
      }
    }
  });
}
