/**
 * Several machines on one: hosts are network namespaces, joined by wires that can be cut, silenced and healed.
 *
 *   const lab = await createNetworkLab()               // Linux, root, iproute2, nftables; labProblem() says what is missing
 *   const [a, b] = [await lab.host('a'), await lab.host('b')]
 *   const wire = await lab.segment([
 *     { host: a, device: 'eth0', addresses: ['10.0.0.1/24'] },
 *     { host: b, device: 'eth0', addresses: ['10.0.0.2/24'] },
 *   ])
 *   await a.must(['ping', '-c1', '10.0.0.2'])
 *   await wire.cut(b)                                  // the cable is pulled; `blackhole` keeps the carrier
 *   await lab.remove()                                 // in afterAll: kills and removes all that the lab made
 */
export {
  createNetworkLab,
  labProblem,
  type CommandResult,
  type LabHost,
  type NetworkLab,
  type Segment,
  type SegmentPort,
} from './network-lab.ts'
