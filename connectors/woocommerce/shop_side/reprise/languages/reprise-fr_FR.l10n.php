<?php
/**
 * French.
 *
 * @package Reprise
 */

return array(
	'domain'       => 'reprise',
	'plural-forms' => 'nplurals=2; plural=(n > 1);',
	'messages'     => array(
		'Address for webhooks' => 'Adresse des webhooks',
		'Address of your Reprise' => 'Adresse de votre Reprise',
		'Answered at' => 'Répondu le',
		'Answered in' => 'Répondu dans',
		'Asked of Reprise' => 'Demandé à Reprise',
		'Connected.' => 'Connecté.',
		'If I leave my basket or my payment fails, you may remind me by e-mail and offer me payment in parts. I can say no at any time.' => 'Si je quitte mon panier ou si mon paiement échoue, vous pouvez me le rappeler par e-mail et me proposer de payer en plusieurs fois. Je peux refuser à tout moment.',
		'Key of this shop' => 'Clé de cette boutique',
		'Not connected. Download the plugin from the connect page of your Reprise, or copy what is missing from there.' => 'Non connecté. Téléchargez l’extension depuis la page de connexion de votre Reprise, ou copiez de là ce qui manque.',
		'Pay in parts' => 'Payer en plusieurs fois',
		'Payment plans (Reprise)' => 'Plans de paiement (Reprise)',
		'Reminders allowed' => 'Rappels autorisés',
		'Reprise could not be told to forget this person: erase the data once more.' => 'Reprise n’a pas pu recevoir la demande d’oublier cette personne : effacez les données encore une fois.',
		'Reprise is told to forget this person. Where a plan of theirs still runs it asks you first, under Cases.' => 'Reprise reçoit la demande d’oublier cette personne. Si un de ses plans court encore, la question vous est posée d’abord, sous Dossiers.',
		'Secret of the plugin' => 'Secret de l’extension',
		'See, change or cancel your payment plan' => 'Voir, modifier ou résilier votre plan de paiement',
		'Sentence' => 'Phrase',
		'There is no payment plan behind this link.' => 'Aucun plan de paiement ne se trouve derrière ce lien.',
		'What Reprise keeps about this person is shown there, under Cases.' => 'Ce que Reprise conserve sur cette personne y est montré, sous Dossiers.',
		'Your basket is told to the service that we run for payments in parts. Your address is told when you are signed in, when you allow reminders, or when you order. No cookie is set for it, and no card number ever reaches it.' => 'Votre panier est transmis au service que nous utilisons pour les paiements en plusieurs fois. Votre adresse l’est quand vous êtes connecté, quand vous autorisez les rappels ou quand vous commandez. Aucun cookie n’est déposé pour cela, et aucun numéro de carte ne lui parvient jamais.',
		'no' => 'non',
		'yes' => 'oui',
	),
);
