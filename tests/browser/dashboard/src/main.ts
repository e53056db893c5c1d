import { Cart, loadPage, readSettings } from "./cart";

declare function installGlobalErrorHandler(component: string): void;
declare function reportError(what: { error: unknown; sourceComponent: string; context: object }): Promise<string | null>;

function onBuy(): void {
  new Cart().addToCart(7);
}

async function onNextPage(): Promise<void> {
  await loadPage(7, 3);
}

function onSave(): void {
  try {
    readSettings("{not json");
  } catch (error) {
    const told = reportError({ error, sourceComponent: "dashboard", context: { field: "settings" } });
    told.then((url) => (document.title = url ?? "kept"));
  }
}

installGlobalErrorHandler("dashboard");
document.getElementById("buy")!.onclick = onBuy;
document.getElementById("next")!.onclick = onNextPage;
document.getElementById("save")!.onclick = onSave;
