/** Packets that rules have logged (`log group N prefix "..."`): `openNflog`, a bounded queue that counts what it drops. */
export { openNflog, type LoggedPacket, type Nflog, type NflogOptions } from './nflog.ts'
