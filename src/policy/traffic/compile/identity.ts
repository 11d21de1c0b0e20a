import type { ProxyView } from '../input/index.ts'

/** SPIFFE ID of the service account that a proxy runs as. */
export function podIdentityOf({ namespace, serviceAccount }: Pick<ProxyView, 'namespace' | 'serviceAccount'>, trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}
