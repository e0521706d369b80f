/** All of a customer's laptops, as the subject of a sentence about them. */
export function allLaptops(count: number, customer: string): string {
  return `${count === 1 ? 'The only laptop' : `All ${count} laptops`} of ${customer}`;
}
