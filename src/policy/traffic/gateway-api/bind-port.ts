/**
 * Where a gateway's pod listens for a listener's port: the proxy is no root user, so ports below 1,024 are moved up by 10,000. The Service in front has the port
 * that was asked for. A gateway that asks for both 80 and 10080 gets a conflict from `judgeListeners`.
 */
export function gatewayBindPort(port: number): number {
  return port < 1_024 ? port + 10_000 : port
}
