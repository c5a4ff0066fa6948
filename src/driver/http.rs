//! HTTP as every driver uses it.
