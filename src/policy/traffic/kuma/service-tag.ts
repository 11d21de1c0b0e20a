/** The service of a tag such as `cart_shop_svc_8080` or `cart_shop_svc`; undefined for other texts. Source: Kuma 2, kuma.io/service on Kubernetes. */
export function readServiceTag(tag: string): { readonly namespace: string; readonly name: string; readonly port?: number } | undefined {
  const hit = /^([a-z0-9-]{1,253})_([a-z0-9-]{1,63})_svc(?:_(\d{1,5}))?$/.exec(tag)
  if (!hit) return undefined
  const [, name = '', namespace = '', port] = hit
  return { namespace, name, ...(port === undefined ? {} : { port: Number(port) }) }
}
