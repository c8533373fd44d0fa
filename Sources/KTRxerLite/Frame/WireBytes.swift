// SPDX-License-Identifier: MIT
// Network-order numbers and addresses in and out of packet bytes, bounds-checked, by explicit shifts
// so that the processor's own byte order never matters. What the bytes mean is left to the headers.

extension RawSpan {
    /// Throws `truncated` unless `count` bytes lie at `offset`. Negative values are out of bounds too.
    @inlinable
    public func require(_ count: Int, at offset: Int) throws(FrameError) {
        guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
            throw .truncated
        }
    }

    /// The byte at `offset`.
    public func uint8(at offset: Int) throws(FrameError) -> UInt8 {
        try require(1, at: offset)
        return unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The 16-bit number in network order at `offset`.
    public func uint16(at offset: Int) throws(FrameError) -> UInt16 {
        try require(2, at: offset)
        return UInt16(byte(offset)) << 8 | UInt16(byte(offset + 1))
    }

    /// The 32-bit number in network order at `offset`.
    public func uint32(at offset: Int) throws(FrameError) -> UInt32 {
        try require(4, at: offset)
        var value: UInt32 = 0
        for index in 0..<4 { value = value << 8 | UInt32(byte(offset + index)) }
        return value
    }

    /// The 64-bit number in network order at `offset`.
    public func uint64(at offset: Int) throws(FrameError) -> UInt64 {
        UInt64(try uint32(at: offset)) << 32 | UInt64(try uint32(at: offset &+ 4))
    }

    /// The Ethernet address at `offset`.
    public func macAddress(at offset: Int) throws(FrameError) -> MACAddress {
        MACAddress(UInt64(try uint16(at: offset)) << 32 | UInt64(try uint32(at: offset &+ 2)))
    }

    /// The IP address at `offset`, in its wire form of 4 or 16 bytes.
    public func address(at offset: Int, family: AddressFamily) throws(FrameError) -> IPAddress {
        switch family {
        case .ipv4: IPAddress(v4: try uint32(at: offset))
        case .ipv6: IPAddress(v6High: try uint64(at: offset), low: try uint64(at: offset &+ 8))
        }
    }

    /// A byte whose place the caller has checked.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 { unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) }
}

extension MutableRawSpan {
    /// Throws `noRoom` unless `count` bytes can be written at `offset`.
    public func require(_ count: Int, at offset: Int) throws(FrameError) {
        guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
            throw .noRoom
        }
    }

    /// Writes one byte.
    @_lifetime(self: copy self)
    public mutating func put(_ value: UInt8, at offset: Int) throws(FrameError) {
        try require(1, at: offset)
        store(value, offset)
    }

    /// Writes a 16-bit number in network order.
    @_lifetime(self: copy self)
    public mutating func put(_ value: UInt16, at offset: Int) throws(FrameError) {
        try require(2, at: offset)
        store(UInt8(truncatingIfNeeded: value >> 8), offset)
        store(UInt8(truncatingIfNeeded: value), offset + 1)
    }

    /// Writes a 32-bit number in network order.
    @_lifetime(self: copy self)
    public mutating func put(_ value: UInt32, at offset: Int) throws(FrameError) {
        try require(4, at: offset)
        for index in 0..<4 {
            store(UInt8(truncatingIfNeeded: value >> UInt32(24 - index * 8)), offset + index)
        }
    }

    /// Writes a 64-bit number in network order.
    @_lifetime(self: copy self)
    public mutating func put(_ value: UInt64, at offset: Int) throws(FrameError) {
        try put(UInt32(truncatingIfNeeded: value >> 32), at: offset)
        try put(UInt32(truncatingIfNeeded: value), at: offset &+ 4)
    }

    /// Writes an Ethernet address, 6 bytes.
    @_lifetime(self: copy self)
    public mutating func put(_ address: MACAddress, at offset: Int) throws(FrameError) {
        try put(UInt16(truncatingIfNeeded: address.value >> 32), at: offset)
        try put(UInt32(truncatingIfNeeded: address.value), at: offset &+ 2)
    }

    /// Writes the wire form of an IP address, 4 or 16 bytes.
    @_lifetime(self: copy self)
    public mutating func put(_ address: IPAddress, at offset: Int) throws(FrameError) {
        switch address.family {
        case .ipv4: try put(UInt32(truncatingIfNeeded: address.low), at: offset)
        case .ipv6:
            try put(address.high, at: offset)
            try put(address.low, at: offset &+ 8)
        }
    }

    /// Copies all of `source` to `offset`.
    @_lifetime(self: copy self)
    public mutating func put(_ source: RawSpan, at offset: Int) throws(FrameError) {
        try require(source.byteCount, at: offset)
        for index in 0..<source.byteCount { store(source.byte(index), offset + index) }
    }

    /// Writes `count` zero bytes.
    @_lifetime(self: copy self)
    public mutating func putZeros(_ count: Int, at offset: Int) throws(FrameError) {
        try require(count, at: offset)
        for index in 0..<count { store(0, offset + index) }
    }

    /// A byte to a place that the caller has checked.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func store(_ value: UInt8, _ offset: Int) {
        storeBytes(of: value, toUncheckedByteOffset: offset, as: UInt8.self)
    }
}

extension IPAddress {
    /// Reads the wire form of 4 or 16 bytes at an offset of `wire`; nil when it does not lie inside.
    public init?(wire: RawSpan, at offset: Int, family: AddressFamily) {
        do throws(FrameError) {
            self = try wire.address(at: offset, family: family)
        } catch {
            return nil
        }
    }
}
