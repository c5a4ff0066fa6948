//! Address ranges that are asked for one address after another.

use std::net::IpAddr;

use crate::model::{Network, Range, RangeKind, Site};

/// Ranges in order, so that finding one takes the logarithm of their number.
#[derive(Default)]
pub(super) struct Ranges<'a> {
    /// Each range with the index of the one, up to it, that ends last.
    sorted: Vec<(&'a Range, usize)>,
}

impl<'a> FromIterator<&'a Range> for Ranges<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Range>>(ranges: I) -> Self {
        let mut sorted: Vec<(&Range, usize)> = ranges.into_iter().map(|range| (range, 0)).collect();
        sorted.sort_by_key(|(range, _)| (range.start.value, range.end.value, range.start.span));
        let mut last = 0;
        for at in 0..sorted.len() {
            if sorted[at].0.end.value > sorted[last].0.end.value {
                last = at;
            }
            sorted[at].1 = last;
        }
        Self { sorted }
    }
}

impl<'a> Ranges<'a> {
    /// A range that holds the address.
    pub(super) fn holding(&self, address: IpAddr) -> Option<&'a Range> {
        let before = self.sorted.partition_point(|(range, _)| range.start.value <= address);
        let (range, _) = self.sorted[self.sorted.get(before.checked_sub(1)?)?.1];
        (range.end.value >= address).then_some(range)
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<&'a Range> {
        self.sorted.first().map(|(range, _)| *range)
    }
}

/// All ranges from which DHCP hands out addresses. One that leaves its network is reported as that.
pub(super) fn of_dhcp(site: &Site) -> Ranges<'_> {
    let inside = |network: &Network, range: &Range| network.cidr.contains(&range.start.value) && network.cidr.contains(&range.end.value);
    let all = site.networks.values().flat_map(|network| network.ranges.iter().map(move |range| (network, range)));
    all.filter(|(network, range)| range.kind.value == RangeKind::Dhcp && inside(network, range)).map(|(_, range)| range).collect()
}
