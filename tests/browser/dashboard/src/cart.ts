export class Cart {
  items?: { price: number }[];

  addToCart(price: number): number {
    this.items!.push({ price });
    return this.items!.length;
  }
}

export async function loadPage(page: number, pages: number): Promise<never> {
  await Promise.resolve();
  throw new RangeError(`page ${page} of ${pages}`);
}

export function readSettings(text: string): object {
  if (!text.endsWith("}")) throw new SyntaxError("settings end too early");
  return JSON.parse(text);
}
