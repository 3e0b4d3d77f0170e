// The page's views and their tabs, moved between with the arrow keys (WAI-ARIA tabs pattern).

import { find } from "/static/api.js";

const VIEWS = ["song", "takes", "compare", "jam"];

export function showView(name) {
  for (const view of VIEWS) {
    find(`view-${view}`).hidden = view !== name;
    find(`tab-${view}`).ariaSelected = String(view === name);
    find(`tab-${view}`).tabIndex = view === name ? 0 : -1;
  }
}

export function listenToTabs(open) {
  VIEWS.forEach((name, at) => {
    const tab = find(`tab-${name}`);
    tab.addEventListener("click", () => open(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = VIEWS[(at + step + VIEWS.length) % VIEWS.length];
      open(next);
      find(`tab-${next}`).focus();
    });
  });
}
