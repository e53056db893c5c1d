import { sum } from "price";

export class Cart {
  items: { price: number }[] | undefined;

  total(): number {
    return sum(this.items!, (item) => item.price);
  }
}
