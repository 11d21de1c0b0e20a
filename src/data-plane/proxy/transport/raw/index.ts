/**
 * Connections without sockets in between: reads and writes go straight to Node's stream handles. Connecting, accepting and TLS handshakes are done by public
 * sockets; what is taken over is what happens for each message.
 *
 *   bindings         what is used of Node's inside, and whether this Node has it
 *   raw-connection   a Connection on a handle: one read buffer for all, output gathered into one write for each callback
 *   regions          memory for output, given back when the kernel has taken it
 *   loans            memory for reads of large bodies, which are written from where they were read
 *   self-test        whether that works here: asked once at start, and sockets are used where it does not
 */
export { loadBindings, type Bindings } from './bindings.ts'
export { poisonReads, RawConnection } from './raw-connection.ts'
export { rawProblem } from './self-test.ts'
