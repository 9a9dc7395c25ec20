/**
 * Placement: which producers serve a request for slabs.
 *
 * Greedy: whoever has most free gives first, as much as it has, so a request is spread over few producers and free
 * memory evens out over the market. Producers that several consumers complained of give last. A request is met in part when at least its minimum can be given; never is more
 * given than is free. Pure: the same offers and the same request give the same placement.
 */

/** What one producer could give now. */
export interface ProducerOffer {
  readonly producer: string;
  /** Offered slabs less those in live leases; never negative. */
  readonly freeSlabs: number;
  /** Whether several consumers say that it changes values. */
  readonly isDoubtful?: boolean;
}

export interface Placement {
  readonly producer: string;
  readonly slabs: number;
}

export interface PlacementRequest {
  readonly slabs: number;
  /** With fewer than this nothing is placed. */
  readonly minimumSlabs: number;
  /** Most producers to spread over. */
  readonly producersMax: number;
}

/** One entry a producer, largest first; empty when less than the minimum is free. */
export function place(offers: readonly ProducerOffer[], request: PlacementRequest): Placement[] {
  const mostFreeFirst = offers
    .filter((offer) => offer.freeSlabs > 0)
    .sort(
      (a, b) => doubtOf(a) - doubtOf(b) || b.freeSlabs - a.freeSlabs || (a.producer < b.producer ? -1 : 1),
    );
  const placements: Placement[] = [];
  let wanted = request.slabs;
  for (const offer of mostFreeFirst.slice(0, request.producersMax)) {
    if (wanted === 0) break;
    const slabs = Math.min(wanted, offer.freeSlabs);
    placements.push({ producer: offer.producer, slabs });
    wanted -= slabs;
  }
  return request.slabs - wanted >= Math.max(1, request.minimumSlabs) ? placements : [];
}

function doubtOf({ isDoubtful }: ProducerOffer): number {
  return isDoubtful === true ? 1 : 0;
}
