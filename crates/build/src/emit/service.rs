//! A service: its trait, what is known of it, its mount and its client.

use super::package::Packages;
use super::writer::Writer;
use crate::model::{Effect, Method, Service, Shape};
use crate::name;
use crate::route::{Body, Route, Verb};

pub(super) fn emit(out: &mut Writer, service: &Service, packages: &Packages, runtime: &str) {
    let emitter = Emitter {
        service,
        packages,
        runtime,
    };
    out.blank();
    emitter.definition(out);
    out.blank();
    emitter.description(out);
    out.blank();
    emitter.mount(out);
    out.blank();
    emitter.client(out);
}

struct Emitter<'a> {
    service: &'a Service,
    packages: &'a Packages,
    runtime: &'a str,
}

impl Emitter<'_> {
    fn definition(&self, out: &mut Writer) {
        out.docs(&self.service.docs);
        out.line(format!("#[{}::async_trait]", self.runtime));
        out.open(format!(
            "pub trait {}: Send + Sync + 'static {{",
            self.service.short
        ));
        for method in &self.service.methods {
            out.docs(&method.docs);
            out.line(format!("{};", self.signature(method)));
        }
        out.close("}");
    }

    fn signature(&self, method: &Method) -> String {
        let rt = self.runtime;
        let (input, output) = self.types(method);
        let streamed = |message: String| format!("{rt}::Streaming<{message}>");
        let (input, output) = match method.shape {
            Shape::Unary => (input, output),
            Shape::ServerStream => (input, streamed(output)),
            Shape::ClientStream => (streamed(input), output),
        };
        format!(
            "async fn {}(&self, cx: &{rt}::Context, {}: {input}) -> ::core::result::Result<{output}, {rt}::Error>",
            function(method),
            argument(method)
        )
    }

    fn types(&self, method: &Method) -> (String, String) {
        (
            self.packages.at_root(&method.descriptor.input()),
            self.packages.at_root(&method.descriptor.output()),
        )
    }

    fn description(&self, out: &mut Writer) {
        let rt = self.runtime;
        let service = self.service;
        out.line(format!(
            "/// What is known of `{}` at build time.",
            service.name
        ));
        out.open(format!(
            "pub static {}: {rt}::Service = {rt}::Service {{",
            service.constant()
        ));
        out.line(format!("name: {:?},", service.name));
        out.line(format!("target: {:?},", service.target));
        out.open("methods: &[");
        for (index, method) in service.methods.iter().enumerate() {
            self.method(out, index, method);
        }
        out.close("],");
        out.line("descriptors: DESCRIPTORS,");
        out.line(format!(
            "openapi: include_str!(\"{}\"),",
            service.openapi_file()
        ));
        out.close("};");
    }

    fn method(&self, out: &mut Writer, index: usize, method: &Method) {
        let rt = self.runtime;
        let descriptor = &method.descriptor;
        let shape = match method.shape {
            Shape::Unary => "Unary",
            Shape::ServerStream => "ServerStream",
            Shape::ClientStream => "ClientStream",
        };
        let effect = match method.effect {
            Effect::Read => "Read",
            Effect::Idempotent => "Idempotent",
            Effect::Once => "Once",
        };
        out.open(format!("{rt}::Method {{"));
        out.line(format!("index: {index},"));
        out.line(format!("service: {:?},", self.service.name));
        out.line(format!("name: {:?},", descriptor.name()));
        out.line(format!(
            "path: \"/{}/{}\",",
            self.service.name,
            descriptor.name()
        ));
        out.line(format!("effect: {rt}::Effect::{effect},"));
        out.line(format!("shape: {rt}::Shape::{shape},"));
        out.line(format!("input: {:?},", descriptor.input().full_name()));
        out.line(format!("output: {:?},", descriptor.output().full_name()));
        out.open("routes: &[");
        for route in &method.routes {
            out.line(self.route(route));
        }
        out.close("],");
        out.close("},");
    }

    fn route(&self, route: &Route) -> String {
        let rt = self.runtime;
        let verb = match route.verb {
            Verb::Get => "Get",
            Verb::Put => "Put",
            Verb::Post => "Post",
            Verb::Delete => "Delete",
            Verb::Patch => "Patch",
        };
        let body = match &route.body {
            Body::None => "None".to_owned(),
            Body::All => "All".to_owned(),
            Body::Field(field) => format!("Field({:?})", field.name()),
        };
        format!(
            "{rt}::Route {{ verb: {rt}::Verb::{verb}, template: {:?}, body: {rt}::Body::{body} }},",
            route.template
        )
    }

    fn mount(&self, out: &mut Writer) {
        let rt = self.runtime;
        let service = self.service;
        let (short, constant) = (&service.short, service.constant());
        out.line(format!(
            "/// Makes an implementation of [`{short}`] callable over gRPC, over REST and directly."
        ));
        out.line("#[must_use]");
        out.open(format!(
            "pub fn {}(service: impl {short}) -> {rt}::Mount {{",
            service.function()
        ));
        out.open(format!(
            "{rt}::Mount::build::<dyn {short}>(&{constant}, {rt}::Arc::new(service))"
        ));
        for (index, method) in service.methods.iter().enumerate() {
            let (input, output) = self.types(method);
            out.line(format!(
                ".{}::<{input}, {output}>({index}, |service, cx, {argument}| service.{}(cx, {argument}))",
                shape(method),
                function(method),
                argument = argument(method)
            ));
        }
        out.line(".finish()");
        out.outdent();
        out.close("}");
    }

    fn client(&self, out: &mut Writer) {
        let rt = self.runtime;
        let service = self.service;
        let (short, constant) = (&service.short, service.constant());
        out.line(format!(
            "/// Calls a [`{short}`], wherever it is: in this process or in another."
        ));
        out.line("#[derive(Clone, Debug)]");
        out.line(format!("pub struct {short}Client({rt}::Binding);"));
        out.blank();
        out.open(format!("impl {rt}::Client for {short}Client {{"));
        out.line(format!(
            "const SERVICE: &'static {rt}::Service = &{constant};"
        ));
        out.open(format!("fn bind(binding: {rt}::Binding) -> Self {{"));
        out.line(format!("{short}Client(binding)"));
        out.close("}");
        out.close("}");
        out.blank();
        out.open(format!("impl {short}Client {{"));
        for (index, method) in service.methods.iter().enumerate() {
            out.docs(&method.docs);
            out.line("///");
            out.line("/// # Errors");
            out.line("/// What the service answers; `Unavailable` and `DeadlineExceeded` from the way there.");
            out.open(format!("pub {} {{", self.signature(method)));
            let call = function(method);
            out.line(format!(
                "self.0.{}::<dyn {short}, _, _>(&{constant}.methods[{index}], cx, {argument}, |service, cx, {argument}| service.{call}(cx, {argument})).await",
                shape(method),
                argument = argument(method)
            ));
            out.close("}");
        }
        out.close("}");
        out.blank();
        out.line(format!("#[{rt}::async_trait]"));
        out.open(format!("impl {short} for {short}Client {{"));
        for method in &service.methods {
            out.open(format!("{} {{", self.signature(method)));
            out.line(format!(
                "{short}Client::{}(self, cx, {}).await",
                function(method),
                argument(method)
            ));
            out.close("}");
        }
        out.close("}");
    }
}

fn shape(method: &Method) -> &'static str {
    match method.shape {
        Shape::Unary => "unary",
        Shape::ServerStream => "server_stream",
        Shape::ClientStream => "client_stream",
    }
}

/// What a method calls that which it is asked with.
fn argument(method: &Method) -> &'static str {
    match method.shape {
        Shape::Unary | Shape::ServerStream => "request",
        Shape::ClientStream => "requests",
    }
}

fn function(method: &Method) -> String {
    name::snake(method.descriptor.name())
}
