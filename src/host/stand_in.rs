//! A stand-in for the system bus, logind and PID 1, for tests: it answers what it was told to, over a real socket.
//!
//! It speaks as the message bus itself, so that the product connects to it exactly as to the real one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio::sync::broadcast;
use zbus::message::{Header, Message, Type};
use zbus::{Connection, DynamicType, Guid, Variant};

use super::bus::{Bus, Deadlines};
use super::scratch::Scratch;

type Answer = Arc<dyn Fn(&Header<'_>) -> zbus::Result<Message> + Send + Sync>;

#[derive(Default)]
struct Script {
    /// By member, by `Member(argument)` where the argument is a text, by `path.Property`, or by the property alone.
    answers: HashMap<String, Answer>,
    calls: Vec<String>,
}

#[derive(Clone)]
enum Order {
    Signal(Message),
    HangUp,
}

/// The stand-in, running as long as it lives.
pub(super) struct StandIn {
    scratch: Scratch,
    script: Arc<Mutex<Script>>,
    orders: broadcast::Sender<Order>,
}

impl StandIn {
    pub(super) fn new() -> Self {
        let stand_in = Self::mute();
        stand_in.reply("Hello", &":1.7");
        stand_in.reply("AddMatch", &());
        stand_in.reply("RemoveMatch", &());
        stand_in
    }

    /// Answers nothing at all, not even the greeting.
    pub(super) fn mute() -> Self {
        let scratch = Scratch::new();
        let script = Arc::new(Mutex::new(Script::default()));
        let (orders, _) = broadcast::channel(16);
        let listener = UnixListener::bind(scratch.path().join("bus")).unwrap();
        let (script2, orders2) = (Arc::clone(&script), orders.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, orders) = (Arc::clone(&script2), orders2.subscribe());
                tokio::spawn(serve(socket.into_std().unwrap(), script, orders));
            }
        });
        Self {
            scratch,
            script,
            orders,
        }
    }

    /// A bus whose deadlines are those of a test.
    pub(super) fn bus(&self) -> Bus {
        let mut bus = Bus::at(format!("unix:path={}/bus", self.scratch.path().display()));
        bus.deadlines = Deadlines {
            connect: Duration::from_millis(500),
            call: Duration::from_millis(500),
            fact: Duration::from_millis(500),
        };
        bus
    }

    fn answer(
        &self,
        what: &str,
        answer: impl Fn(&Header<'_>) -> zbus::Result<Message> + Send + Sync + 'static,
    ) {
        let mut script = self.script.lock().unwrap();
        script.answers.insert(what.into(), Arc::new(answer));
    }

    /// Answers a call with this body.
    pub(super) fn reply<B>(&self, what: &str, body: &B)
    where
        B: serde::Serialize + DynamicType + Clone + Send + Sync + 'static,
    {
        let body = body.clone();
        self.answer(what, move |call| Message::method_return(call).build(&body));
    }

    /// Answers a request for a property.
    pub(super) fn property(&self, what: &str, value: impl Into<Variant<'static>>) {
        let value = value.into();
        self.answer(what, move |call| Message::method_return(call).build(&value));
    }

    /// Answers with an error.
    pub(super) fn error(&self, what: &str, name: &str, text: &str) {
        let (name, text) = (name.to_string(), text.to_string());
        self.answer(what, move |call| {
            Message::error(call, name.as_str()).build(&text)
        });
    }

    /// Answers no more.
    pub(super) fn silence(&self, what: &str) {
        self.script.lock().unwrap().answers.remove(what);
    }

    /// Ends all connections when it is asked for this.
    pub(super) fn hang_up_on(&self, what: &str) {
        let orders = self.orders.clone();
        self.answer(what, move |_| {
            let _ = orders.send(Order::HangUp);
            Err(zbus::Error::Unsupported)
        });
    }

    /// Ends all connections.
    pub(super) fn hang_up(&self) {
        let _ = self.orders.send(Order::HangUp);
    }

    /// Sends a signal to all.
    pub(super) fn signal(&self, message: Message) {
        let _ = self.orders.send(Order::Signal(message));
    }

    /// What was called so far, with the arguments of those that request something; no greetings.
    pub(super) fn calls(&self) -> Vec<String> {
        self.script.lock().unwrap().calls.clone()
    }
}

async fn serve(
    socket: std::os::unix::net::UnixStream,
    script: Arc<Mutex<Script>>,
    mut orders: broadcast::Receiver<Order>,
) {
    let built = zbus::connection::Builder::unix_stream(socket)
        .server(Guid::generate())
        .p2p()
        .build_message_stream()
        .await;
    let Ok(mut calls) = built else { return };
    let connection = Connection::from(&calls);
    loop {
        tokio::select! {
            call = calls.next() => {
                let Some(Ok(call)) = call else { return };
                if call.message_type() == Type::MethodCall
                    && let Some(reply) = answer(&call, &script)
                {
                    let _ = connection.send(&reply).await;
                }
            }
            order = orders.recv() => match order {
                Ok(Order::Signal(signal)) => _ = connection.send(&signal).await,
                Ok(Order::HangUp) | Err(_) => {
                    let _ = connection.close().await;
                    return;
                }
            },
        }
    }
}

fn answer(call: &Message, script: &Mutex<Script>) -> Option<Message> {
    let header = call.header();
    let member = header.member()?.to_string();
    let body = call.body();
    let mut names = Vec::new();
    let mut said = member.clone();
    if member == "Get" {
        let (_, property): (&str, &str) = body.deserialize().ok()?;
        names.push(format!("{}.{property}", header.path()?));
        names.push(property.to_string());
        said = property.to_string();
    } else if let Ok(text) = body.deserialize::<&str>() {
        names.push(format!("{member}({text})"));
    } else if let Ok(flags) = body.deserialize::<u64>() {
        said = format!("{member}({flags})");
    } else if let Ok(flag) = body.deserialize::<bool>() {
        said = format!("{member}({flag})");
    }
    names.push(member);
    let answer = {
        let mut script = script.lock().unwrap();
        if header
            .destination()
            .is_none_or(|to| to != "org.freedesktop.DBus")
        {
            script.calls.push(said);
        }
        names
            .iter()
            .find_map(|name| script.answers.get(name).cloned())
    };
    answer?(&header).ok()
}
