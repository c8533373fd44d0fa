// SPDX-License-Identifier: MIT
// One measurement of one target from beginning to end: name, route, next hop, transport, probes, result.
// Never blocks: an event loop calls `service`.
import CKTRxer

/// What the sessions of one process share.
public protocol SessionObserver: AnyObject {
    /// The first answer to a probe, or a duplicate, has come; for output as it happens.
    func answered(session: Session, record: ProbeRecord, answer: Answer)
    /// The target's address and the transport are known; probes follow.
    func started(session: Session)
}

public final class Session {
    private enum Stage {
        case new
        case resolving(NameResolution)
        case neighbour(NeighbourResolution)
        /// Everything is known; rings may be opened when nobody is disturbed by it.
        case ready(Route)
        case running(any Transport, any Measurement)
        case finished
    }

    public let job: ByteText
    public let target: ByteText
    public let options: MeasurementOptions
    /// The target's address, once known.
    public private(set) var address: IPAddress?
    /// Which transport it runs over, once known.
    public private(set) var transportKind: TransportKind?
    /// Bytes of each probe from the IP header on, once known.
    public private(set) var probeLength = 0

    private let targetZone: TargetZone
    /// By which probes have to leave; empty: the routing table's choice.
    private var interface: InterfaceName
    private var stage = Stage.new
    private var route: Route?
    private var kernelDevices: KernelDevices?
    /// Lent before the next hop is resolved, as the proof that this process may have one.
    private var packetSocket: BorrowedPacketSocket?
    private var packetShape: PacketShape?
    private var flow: Flow?
    private let packetSockets: PacketSockets
    private var failure: ProbeError?
    private let pacer: Pacer
    private let frames: (any FrameObserver)?
    /// Until the end only, so that the two do not keep each other alive.
    private var observer: (any SessionObserver)?

    private let startedMonotonic: Int64
    private let startedRealtime: Int64
    private let clockOffset: Int64
    private var finishedMonotonic: Int64 = 0
    private var synchronised = false
    private var stepped = false
    /// Launch of the next probe as the ceiling allows it; 0: not asked yet.
    private var allowedLaunch: Int64 = 0
    private var transport: (any Transport)?
    private var measurement: (any Measurement)?

    /// Probes are handed to the transport so long before their launch, ns.
    private static let submitAhead: Int64 = 20_000_000
    /// From the moment that everything is ready to the first launch, ns: time to build the frames.
    private static let startDelay: Int64 = 500_000
    /// The same for each further probe of a train, which may have to leave at once.
    private static let startDelayPerProbe: Int64 = 20_000

    /// - Parameters:
    ///   - frames: sees the frames sent and captured; only transports of whole frames have them.
    public init(
        job: ByteText, target: ByteText, options: MeasurementOptions, pacer: Pacer, packetSockets: PacketSockets,
        frames: (any FrameObserver)?, observer: (any SessionObserver)?
    ) {
        self.job = job
        self.target = target
        self.options = options
        targetZone = TargetZone(target)
        interface = options.interfaceName
        self.pacer = pacer
        self.packetSockets = packetSockets
        self.frames = frames
        self.observer = observer
        startedMonotonic = ktrxer_clock_monotonic()
        clockOffset = ktrxer_clock_offset()
        startedRealtime = startedMonotonic &+ clockOffset
    }

    public var isFinished: Bool {
        if case .finished = stage { return true }
        return false
    }

    // MARK: Waiting

    /// CLOCK_MONOTONIC ns at which `service` must be called at the latest.
    public var wakeAt: Int64 {
        switch stage {
        case .new: 0
        case .ready: Int64.max
        // Whoever waits is to take the result.
        case .finished: 0
        case .resolving(let resolution): resolution.wakeAt
        case .neighbour(let resolution): resolution.wakeAt
        case .running(let transport, let measurement):
            min(transport.wakeAt, measurement.deadline, nextSubmission(measurement))
        }
    }

    private func nextSubmission(_ measurement: any Measurement) -> Int64 {
        guard let launch = measurement.nextLaunch else { return Int64.max }
        return max(launch, allowedLaunch) - Self.submitAhead
    }

    /// Number of descriptors to be polled.
    public var descriptorCount: Int {
        switch stage {
        case .new, .ready, .finished: 0
        case .resolving, .neighbour: 1
        case .running(let transport, _): transport.descriptorCount
        }
    }

    public func descriptor(_ index: Int) -> Int32 {
        switch stage {
        case .new, .ready, .finished: -1
        case .resolving(let resolution): resolution.descriptor
        case .neighbour(let resolution): resolution.descriptor
        case .running(let transport, _): transport.descriptor(index)
        }
    }

    /// Poll the descriptors for writing instead of reading.
    public var waitsToWrite: Bool {
        if case .running(let transport, _) = stage { return transport.waitsToWrite }
        return false
    }

    // MARK: Going on

    /// Does whatever can be done by `now`.
    public func service(now: Int64) {
        do throws(ProbeError) {
            switch stage {
            case .ready, .finished: return
            case .new: try resolve(now: now)
            case .resolving(let resolution): try resolving(resolution, now: now)
            case .neighbour(let resolution): try neighbour(resolution, now: now)
            case .running(let transport, let measurement): run(transport, measurement, now: now)
            }
        } catch {
            fail(error)
        }
    }

    /// Ends at once with what there is: a probe that has left and has no answer counts as lost.
    public func cancel() {
        switch stage {
        case .finished: return
        case .running(let transport, let measurement):
            // First what has become of probes that were handed over: what has left counts.
            transport.cancel()
            drain(transport, measurement)
            measurement.cancel(now: ktrxer_clock_monotonic())
            failure = .cancelled
            end(transport)
        default: fail(.cancelled)
        }
    }

    private func resolve(now: Int64) throws(ProbeError) {
        if targetZone.zone != nil { interface = try targetZone.interfaceName() }
        let resolution = NameResolution(name: targetZone.host, family: options.family)
        stage = .resolving(resolution)
        try resolving(resolution, now: now)
    }

    private func resolving(_ resolution: NameResolution, now: Int64) throws(ProbeError) {
        resolution.service(now: now)
        switch resolution.state {
        case .pending: return
        case .failed(let error): throw error
        case .resolved(let addresses): try proceed(addresses, now: now)
        }
    }

    /// Takes the first address of the wanted family, and the transport.
    private func proceed(_ addresses: [IPAddress], now: Int64) throws(ProbeError) {
        guard
            let address = addresses.first(where: {
                switch options.family {
                case .any: true
                case .ipv4: $0.family == .ipv4
                case .ipv6: $0.family == .ipv6
                }
            })
        else { throw .wrongFamily }
        self.address = address
        if let source = options.source, source.family != address.family { throw .wrongFamily }
        guard options.transport != .socket else {
            try openSocket(address, now: now)
            return
        }
        do throws(ProbeError) {
            let route = try Route.lookup(
                destination: address, source: options.source, interface: interface.text,
                trafficClass: options.trafficClass)
            if route.isLocal { throw .unsupported(.loopback) }
            if !route.linkType.hasFrameFormat { throw .unsupported(.linkType) }
            let flow = makeFlow(address)
            self.flow = flow
            if !(try openKernelDevices()) { try borrowPacketSocket(flow, route) }
            self.route = route
            if route.needsResolution {
                let resolution = NeighbourResolution(route: route)
                stage = .neighbour(resolution)
                try neighbour(resolution, now: now)
            } else {
                try settle(route, now: now)
            }
        } catch {
            guard options.transport == .auto && error.leavesSockets else { throw error }
            try openSocket(address, now: now)
        }
    }

    /// Opens the module's devices if they are wanted and there: the proof that this process may use them.
    private func openKernelDevices() throws(ProbeError) -> Bool {
        guard options.transport != .packet else { return false }
        do throws(ProbeError) {
            kernelDevices = try KernelDevices()
            return true
        } catch {
            guard options.transport == .auto else { throw error }
            return false
        }
    }

    private func borrowPacketSocket(_ flow: Flow, _ route: Route) throws(ProbeError) {
        let shape = packetShape(flow, route)
        packetSocket = try packetSockets.borrow(for: shape)
        packetShape = shape
    }

    /// Opens at once where that takes no time, and otherwise waits for `open`.
    private func settle(_ route: Route, now: Int64) throws(ProbeError) {
        if try openKernel(route, now: now) { return }
        if packetShape?.isMapped == true && packetSocket?.socket.shape == nil {
            stage = .ready(route)
        } else {
            try openPacket(route, now: now)
        }
    }

    private func neighbour(_ resolution: NeighbourResolution, now: Int64) throws(ProbeError) {
        resolution.service(now: now)
        switch resolution.state {
        case .pending: return
        case .failed(let error): throw error
        case .resolved(let mac):
            guard var route else { throw .gatewayUnresolved }
            route.destinationMAC = mac
            self.route = route
            try settle(route, now: now)
        }
    }

    // MARK: Sharing the loop

    /// Waits for `open`.
    var isReady: Bool {
        if case .ready = stage { return true }
        return false
    }

    /// Opens the rings. The kernel waits for its other processors when rings come and go, and this whole
    /// process waits with it, for tens of milliseconds: see `quietUntil`.
    func open(now: Int64) {
        guard case .ready(let route) = stage else { return }
        do throws(ProbeError) {
            try openPacket(route, now: now)
        } catch {
            fail(error)
        }
    }

    /// CLOCK_MONOTONIC ns until which this session has nothing to launch; `Int64.max`: for good.
    var quietUntil: Int64 {
        guard case .running(let transport, let measurement) = stage else { return Int64.max }
        // What a trace launches next depends on answers that may come at any moment.
        guard measurement.kind != .trace else { return 0 }
        return min(measurement.nextLaunch ?? Int64.max, transport.wakeAt)
    }

    // MARK: Transports

    private func makeFlow(_ address: IPAddress) -> Flow {
        var random = [UInt8](repeating: 0, count: 4)
        random.withUnsafeMutableBytes { ktrxer_random($0.baseAddress, 4) }
        let token =
            UInt32(random[0]) << 24 | UInt32(random[1]) << 16 | UInt32(random[2]) << 8 | UInt32(random[3])
        return Flow(
            proto: options.proto, destination: address, destinationPort: options.port, sourcePort: 0,
            payloadLength: options.payloadLength, trafficClass: options.trafficClass,
            dontFragment: options.dontFragment, constantFlow: options.kind == .trace, token: token)
    }

    private func packetShape(_ flow: Flow, _ route: Route) -> PacketShape {
        let (probes, burst) = extent(sparse: 0)
        return PacketShape(
            route: route, frameLength: ProbePacket.length(flow: flow) + route.linkHeaderLength, probes: probes,
            burst: burst)
    }

    private func openPacket(_ route: Route, now: Int64) throws(ProbeError) {
        guard let address, let flow, let packetSocket, let packetShape else { throw .noRoute }
        let transport: PacketTransport
        do throws(ProbeError) {
            transport = try PacketTransport(
                flow: flow, socket: packetSocket, shape: packetShape, route: route, observer: frames)
        } catch {
            guard options.transport == .auto && error.leavesSockets else { throw error }
            try openSocket(address, now: now)
            return
        }
        begin(transport, now: now)
    }

    /// Begins over the module's devices, if they are there; false: another transport has to do.
    private func openKernel(_ route: Route, now: Int64) throws(ProbeError) -> Bool {
        guard let kernelDevices, let flow else { return false }
        let transport: KernelTransport
        do throws(ProbeError) {
            let (probes, burst) = extent(sparse: 32)
            transport = try KernelTransport(
                flow: flow, devices: kernelDevices, route: route, probeCount: probes, burst: burst, observer: frames)
        } catch {
            guard options.transport == .auto else { throw error }
            try borrowPacketSocket(flow, route)
            return false
        }
        begin(transport, now: now)
        return true
    }

    /// How many probes there will be, and how many answers to them may arrive at once: `sparse` where probes are far
    /// apart.
    private func extent(sparse: Int) -> (probes: Int, burst: Int) {
        switch options.kind {
        case .ping: (options.count, options.gap < 1_000_000 ? options.count : sparse)
        case .train: (options.count, options.count)
        case .trace: (Int(options.maxHops) * options.probesPerHop, max(sparse, options.rate > 1000 ? 32 : 0))
        }
    }

    private func openSocket(_ address: IPAddress, now: Int64) throws(ProbeError) {
        if frames != nil { throw .unsupported(.pcapOverSockets) }
        var index = 0
        if !interface.isEmpty || address.isLinkScope {
            // Some systems let nobody read routes; only a scope or a wish needs them.
            let route = try Route.lookup(
                destination: address, source: options.source, interface: interface.text,
                trafficClass: options.trafficClass)
            self.route = route
            index = Int(route.interfaceIndex)
        }
        // A zone goes into the address; binding to the device as well may take a privilege.
        let bound = targetZone.zone == nil ? interface : InterfaceName()
        let flow = makeFlow(address)
        if options.proto == .tcpSyn {
            begin(
                try SocketConnections(flow: flow, source: options.source, interface: bound, interfaceIndex: index),
                now: now)
        } else {
            begin(
                try SocketTransport(flow: flow, source: options.source, interface: bound, interfaceIndex: index),
                now: now)
        }
    }

    private func begin(_ transport: any Transport, now: Int64) {
        var start = ktrxer_clock_monotonic() + Self.startDelay
        if options.kind == .train { start += min(Int64(options.count) * Self.startDelayPerProbe, 10_000_000) }
        let measurement: any Measurement
        switch options.kind {
        case .ping: measurement = Ping(options: options, destination: transport.flow.destination, start: start)
        case .trace: measurement = Trace(options: options, destination: transport.flow.destination, start: start)
        case .train: measurement = Train(options: options, destination: transport.flow.destination, start: start)
        }
        self.transport = transport
        self.measurement = measurement
        transportKind = transport.kind
        probeLength = ProbePacket.length(flow: transport.flow)
        stage = .running(transport, measurement)
        observer?.started(session: self)
        run(transport, measurement, now: now)
    }

    // MARK: Probing

    private func run(_ transport: any Transport, _ measurement: any Measurement, now: Int64) {
        submit(transport, measurement, now: now)
        transport.service(now: now)
        drain(transport, measurement)
        let later = ktrxer_clock_monotonic()
        if measurement.deadline <= later { measurement.expire(now: later) }
        // What has just become due is handed over before the next sleep.
        submit(transport, measurement, now: later)
        if measurement.isFinished { end(transport) }
    }

    private func submit(_ transport: any Transport, _ measurement: any Measurement, now: Int64) {
        // Or it would keep them all, for as long as the agent runs.
        pacer.forget(before: now)
        while let wanted = measurement.nextLaunch, wanted - now <= Self.submitAhead {
            let policy = measurement.launchPolicy
            var launch = wanted
            switch policy {
            case .placed: break
            case .each: launch = pacer.earliest(at: max(wanted, now))
            case .run(let count, let gap):
                guard let first = pacer.earliestRun(count: count, at: max(wanted, now), gap: gap) else {
                    measurement.cancel(now: now)
                    failure = .aboveCeiling
                    return
                }
                launch = first
            }
            allowedLaunch = launch
            guard launch - now <= Self.submitAhead else { return }
            switch policy {
            case .placed: break
            case .each: pacer.record(launch: launch)
            case .run(let count, let gap): pacer.recordRun(count: count, at: launch, gap: gap)
            }
            transport.submit(measurement.launch(at: launch))
        }
    }

    private func drain(_ transport: any Transport, _ measurement: any Measurement) {
        while let event = transport.nextEvent() {
            switch event {
            case .completion(let completion): measurement.handle(completion)
            case .answer(let answer):
                measurement.handle(answer)
                if let observer {
                    let records = measurement.records
                    if Int(answer.sequence) < records.count {
                        observer.answered(session: self, record: records[Int(answer.sequence)], answer: answer)
                    }
                }
            }
        }
    }

    // MARK: The end

    private func fail(_ error: ProbeError) {
        failure = error
        end(transport)
    }

    private func end(_ transport: (any Transport)?) {
        finishedMonotonic = ktrxer_clock_monotonic()
        stepped = (ktrxer_clock_offset() &- clockOffset).magnitude > ClockMapping.stepThreshold
        synchronised = ktrxer_clock_synchronised() == 1
        stage = .finished
        observer = nil
        packetSocket = nil
    }

    /// The result; once finished.
    public func makeResult() -> MeasurementResult {
        let result = MeasurementResult(
            job: job, kind: options.kind, target: target, address: address,
            sourceAddress: transport?.sourceAddress, sourcePort: transport?.flow.sourcePort ?? 0,
            transport: transportKind, interface: route?.interfaceName ?? [], startedRealtime: startedRealtime,
            startedMonotonic: startedMonotonic, finishedMonotonic: finishedMonotonic,
            clockSynchronised: synchronised, clockStepped: stepped, options: options,
            records: measurement?.records ?? ProbeRecords(), mtu: transport?.mtu ?? 0,
            foreignAnswers: transport?.foreignAnswers ?? 0, lostCaptures: transport?.lostCaptures ?? 0,
            error: failure)
        result.traceOutcome = measurement?.traceOutcome
        return result
    }
}

extension ProbeError {
    /// The packet transport cannot do it here, sockets may: worth falling back.
    var leavesSockets: Bool {
        switch self {
        case .noPermission, .unsupported(.loopback), .unsupported(.linkType), .tooLarge: true
        default: false
        }
    }
}
