/**
 * A serial that every revocation list holds for each of our user authorities and no certificate in use ever carries: who
 * logs in with it must be refused, which proves that a node obeys its list. Above all serials the store hands out, which
 * end at 2^63 - 1.
 */
export const canarySerial = 2n ** 63n
