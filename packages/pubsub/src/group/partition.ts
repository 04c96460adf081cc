/**
 * The partition a key falls to: FNV-1a of its UTF-8 bytes. It must never change, for processes of different versions share a group.
 *
 * @see http://www.isthe.com/chongo/tech/comp/fnv/
 */
export function partitionOf(key: string | undefined, partitions: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(key ?? '')) {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  return (hash >>> 0) % partitions
}
