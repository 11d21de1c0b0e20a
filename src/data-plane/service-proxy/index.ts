/**
 * Services on a node, in user space: what kube-proxy does with the kernel's help, done with sockets, so that it works
 * without root. `kernel/` is the same in nf_tables, with a plan of its own that knows what only the kernel can do.
 *
 *   services + endpoint slices --planServicePorts--> ServicePort[] --ServiceProxy--> TcpListener / UdpListener
 *                                                                                       `-- Balancer picks the backend
 *
 * Service addresses come from a loopback range, so listening on them needs no set-up on Linux. Ports below 1024 need
 * root or `net.ipv4.ip_unprivileged_port_start`.
 */
export { planServicePorts, type Backend, type ProxyNode, type ServicePort } from './plan-service-ports.ts'
export { ServiceProxy, type ChangingList, type ServiceProxyOptions } from './service-proxy.ts'
