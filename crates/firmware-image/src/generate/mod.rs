//! Makes images with correct checksums in the shape of real ones, for tests, rehearsals and benchmarks.
