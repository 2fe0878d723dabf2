//! What is known of a service at build time, generated from its .proto.

/// A service of a contract.
#[derive(Debug)]
pub struct Service {
    /// Full name, for example `movies.rating.v1.RatingService`.
    pub name: &'static str,
    /// The discovery name of whoever serves it, for example `rating`.
    pub target: &'static str,
    /// Its methods, by index.
    pub methods: &'static [Method],
    /// An encoded `FileDescriptorSet` with imports and options.
    pub descriptors: &'static [u8],
    /// An OpenAPI 3.1 document of this service.
    pub openapi: &'static str,
}

/// A method of a service.
#[derive(Debug)]
pub struct Method {
    /// Its place in [`Service::methods`].
    pub index: usize,
    /// Full name of its service.
    pub service: &'static str,
    /// Its own name, for example `PutRating`.
    pub name: &'static str,
    /// Its gRPC path, for example `/movies.rating.v1.RatingService/PutRating`.
    pub path: &'static str,
    /// What calling it twice does.
    pub effect: Effect,
    /// How many messages go each way.
    pub shape: Shape,
    /// Full name of the request message.
    pub input: &'static str,
    /// Full name of the response message.
    pub output: &'static str,
    /// Its REST routes.
    pub routes: &'static [Route],
}

/// What calling a method twice does: the idempotency class, from `idempotency_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes (`NO_SIDE_EFFECTS`).
    Read,
    /// The second call changes nothing more (`IDEMPOTENT`).
    Idempotent,
    /// Each call counts (unmarked): only an idempotency key makes it safe to repeat.
    Once,
}

/// How many messages go each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One request, one answer.
    Unary,
    /// One request, a stream of answers.
    ServerStream,
    /// A stream of requests, one answer.
    ClientStream,
}

/// A REST route of a method, from `google.api.http`.
#[derive(Debug)]
pub struct Route {
    /// The HTTP method.
    pub verb: Verb,
    /// The path, for example `/v1/ratings/{record_type}:batchGet`.
    pub template: &'static str,
    /// What the body holds.
    pub body: Body,
}

/// An HTTP method that a route may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// GET
    Get,
    /// PUT
    Put,
    /// POST
    Post,
    /// DELETE
    Delete,
    /// PATCH
    Patch,
}

/// What the body of a REST request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: all fields come from path and query.
    None,
    /// Every field that is not in the path.
    All,
    /// This one field.
    Field(&'static str),
}
