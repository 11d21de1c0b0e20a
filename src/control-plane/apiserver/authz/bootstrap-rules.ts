import type { RequestInfo } from '../contract.ts'

/** A machine that joins may ask for a certificate and see the answer, nothing else. Source: ClusterRole system:node-bootstrapper. */
export async function mayBootstrap(
  user: string,
  info: RequestInfo,
  requestorOf: ((signingRequest: string) => Promise<string | undefined>) | undefined,
): Promise<boolean> {
  if (info.group !== 'certificates.k8s.io' || info.resource !== 'certificatesigningrequests' || info.subresource !== '') return false
  if (info.verb === 'create') return true
  if (info.name === '' || !['get', 'list', 'watch'].includes(info.verb)) return false
  return requestorOf === undefined || (await requestorOf(info.name)) === user
}
