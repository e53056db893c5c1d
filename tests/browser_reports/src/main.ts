import { Cart } from "./cart";

function renderTotal(cart: Cart): string {
  const total = cart.total();
  return `<b>${total}</b>`;
}

export function start(): void {
  const html = renderTotal(new Cart());
  console.log(html);
}

start();
