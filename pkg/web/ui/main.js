// @ts-check
// The entry point: shows the first rows, then loads the rest of the page.
import { fromHash } from "./state.js";
import { list, startList } from "./list.js";
import { banner, startLive } from "./live.js";

const theme = localStorage.getItem("ktail-theme");
if (theme) document.documentElement.dataset.theme = theme;
const link = fromHash();
if (link) list.follow = false;
startLive(() => import("./app.js").then((app) => app.start(link),
  () => banner("Parts of the page could not be loaded: reload it.", true)));
startList();
