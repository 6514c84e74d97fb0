//! The life of a job on both sides: auction, placement, leases, receipts
