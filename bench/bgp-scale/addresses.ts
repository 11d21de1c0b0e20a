/** The router under test is 10.99.0.1; neighbours are 10.99.0.2 and so on. */
export const LOCAL_AS = 64500
export const NEIGHBOUR_AS = [64501, 64502, 64503] as const
export const ROUTER_ADDRESS = '10.99.0.1'

export function neighbourAddress(index: number): string {
  return `10.99.0.${2 + index}`
}
