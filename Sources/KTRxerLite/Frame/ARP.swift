// SPDX-License-Identifier: MIT
// ARP for IPv4 over Ethernet (RFC 826), requests and replies. Who asks whom is left to the route code.

public struct ARPPacket: Equatable, Sendable {
    public enum Operation: UInt16, Sendable { case request = 1, reply = 2 }

    /// Bytes on the wire.
    public static let length = 28

    public var operation: Operation
    public var senderMAC: MACAddress
    public var sender: IPAddress
    /// Zero in a request.
    public var targetMAC: MACAddress
    public var target: IPAddress

    public init(
        _ operation: Operation, senderMAC: MACAddress, sender: IPAddress,
        targetMAC: MACAddress = MACAddress(0),
        target: IPAddress
    ) {
        self.operation = operation
        self.senderMAC = senderMAC
        self.sender = sender
        self.targetMAC = targetMAC
        self.target = target
    }

    /// Reads the packet at `offset`, after the Ethernet header. Other hardware, protocols and operations
    /// are `unknownType`.
    public init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        try bytes.require(Self.length, at: offset)
        guard try bytes.uint16(at: offset) == 1, try bytes.uint16(at: offset + 2) == EtherType.ipv4,
            try bytes.uint8(at: offset + 4) == 6, try bytes.uint8(at: offset + 5) == 4,
            let operation = Operation(rawValue: try bytes.uint16(at: offset + 6))
        else { throw .unknownType }
        self.operation = operation
        senderMAC = try bytes.macAddress(at: offset + 8)
        sender = try bytes.address(at: offset + 14, family: .ipv4)
        targetMAC = try bytes.macAddress(at: offset + 18)
        target = try bytes.address(at: offset + 24, family: .ipv4)
    }

    /// Writes the packet at `offset` and returns its length.
    public func write(into frame: inout MutableRawSpan, at offset: Int) throws(FrameError) -> Int {
        guard sender.family == .ipv4, target.family == .ipv4 else { throw .mixedFamilies }
        try frame.require(Self.length, at: offset)
        try frame.put(UInt16(1), at: offset)
        try frame.put(EtherType.ipv4, at: offset + 2)
        try frame.put(UInt16(0x0604), at: offset + 4)
        try frame.put(operation.rawValue, at: offset + 6)
        try frame.put(senderMAC, at: offset + 8)
        try frame.put(sender, at: offset + 14)
        try frame.put(targetMAC, at: offset + 18)
        try frame.put(target, at: offset + 24)
        return Self.length
    }
}
