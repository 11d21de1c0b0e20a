/** Owners of routes as iproute2 calls them. Source: linux/rtnetlink.h. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  9: 'ra',
  11: 'zebra',
  12: 'bird',
  16: 'dhcp',
  186: 'bgp',
  187: 'isis',
  188: 'ospf',
  189: 'rip',
  190: 'biplane router',
  191: 'biplane node',
  192: 'eigrp',
}

export function protocolName(protocol: number): string {
  return `protocol ${NAMES[protocol] ?? protocol}`
}
