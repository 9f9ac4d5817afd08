<?php
/**
 * Whether the shopper wants to be reminded: a box at the checkout, never ticked by us.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** One answer, with its time, its place and the sentence it answers. It stays with the order. */
final class Consent {
	const CHANGED = 'reprise_consent_changed';
	const SESSION = 'reprise_consent';
	const META    = '_reprise_consent';
	/** The name of the box in the classic checkout, and the end of its id in both. */
	const BOX   = 'reprise-reminders';
	const FIELD = 'reprise/reminders';
	/** Names the sentence below. It changes with it. */
	const TEXT = '2026-11';

	public static function start(): void {
		add_filter( 'woocommerce_checkout_fields', array( self::class, 'add_box' ) );
		add_action( 'woocommerce_init', array( self::class, 'add_block_box' ) );
		add_action( 'woocommerce_checkout_create_order', array( self::class, 'of_form' ), 5, 2 );
		add_action( 'woocommerce_set_additional_field_value', array( self::class, 'of_block' ), 10, 4 );
		add_filter( 'woocommerce_get_default_value_for_' . self::FIELD, array( self::class, 'standing' ) );
	}

	public static function sentence(): string {
		return __( 'If I leave my basket or my payment fails, you may remind me by e-mail and offer me payment in parts. I can say no at any time.', 'reprise' );
	}

	/** The box of the classic checkout, below the address. */
	public static function add_box( array $fields ): array {
		$fields['billing'][ self::BOX ] = array(
			'type'     => 'checkbox',
			'label'    => self::sentence(),
			'required' => false,
			'class'    => array( 'form-row-wide' ),
			'priority' => 115,
			'default'  => self::is_granted() ? 1 : 0,
		);
		return $fields;
	}

	/** The box of the block checkout. WooCommerce shows it under My account > Account details, too, where it is unticked again. */
	public static function add_block_box(): void {
		if ( function_exists( 'woocommerce_register_additional_checkout_field' ) ) {
			woocommerce_register_additional_checkout_field(
				array(
					'id'       => self::FIELD,
					'label'    => self::sentence(),
					'location' => 'contact',
					'type'     => 'checkbox',
					'required' => false,
				)
			);
		}
	}

	/**
	 * The classic checkout is sent: the answer as it stands on the form. A form without the box was no question.
	 *
	 * @param \WC_Order $order The order that is made.
	 * @param mixed     $data  The form's fields.
	 */
	public static function of_form( $order, $data = array() ): void {
		if ( is_array( $data ) && array_key_exists( self::BOX, $data ) ) {
			self::record( ! empty( $data[ self::BOX ] ), $order->get_billing_email(), 'checkout' );
		}
	}

	/**
	 * WooCommerce writes the answer of the block checkout to the customer and to the order, and that of the account's
	 * details to the customer.
	 *
	 * @param string                 $field  Which field.
	 * @param mixed                  $value  The answer.
	 * @param string                 $group  Where the field is.
	 * @param \WC_Customer|\WC_Order $object Whose it is.
	 */
	public static function of_block( $field, $value, $group, $object ): void {
		if ( self::FIELD !== $field ) {
			return;
		}
		$email = (string) $object->get_billing_email();
		if ( '' === $email && $object instanceof \WC_Customer ) {
			$email = (string) $object->get_email();
		}
		if ( $value || self::address() === strtolower( $email ) || $object instanceof \WC_Order ) {
			self::record( (bool) $value, $email, 'checkout or account' );
		}
		if ( $object instanceof \WC_Order ) {
			self::keep_with( $object );
		}
	}

	/** What the box of the block checkout shows: the answer as it stands, also where another form took it. */
	public static function standing(): bool {
		return self::is_granted();
	}

	/** Take in an answer. The same one again is none: its time stays that of the first. */
	public static function record( bool $granted, string $email, string $source ): void {
		$email = strtolower( trim( $email ) );
		if ( ! WC()->session || ! is_email( $email ) ) {
			return;
		}
		$before = self::said();
		if ( null !== $before && $before['granted'] === $granted && $before['email'] === $email ) {
			return;
		}
		// An address that may be known to Reprise goes on being told, so that a no reaches it as well.
		$known = $granted || ( null !== $before && $before['known'] && $before['email'] === $email );
		$said  = self::answer( $granted, $source ) + array(
			'email' => $email,
			'known' => $known,
		);
		WC()->session->set( self::SESSION, $said );
		if ( is_user_logged_in() ) {
			update_user_meta( get_current_user_id(), self::META, $said );
		}
		do_action( self::CHANGED );
	}

	/** An answer that is given now to the sentence in the shopper's language. */
	public static function answer( bool $granted, string $source ): array {
		return array(
			'granted'      => $granted,
			'at'           => Basket::moment(),
			'text_version' => self::TEXT . '/' . determine_locale(),
			'source'       => $source,
		);
	}

	public static function is_granted(): bool {
		$said = self::said();
		return null !== $said && true === $said['granted'];
	}

	/** What this shopper said about reminders to this address; null where he was not asked or did not answer. */
	public static function given( string $email ): ?array {
		$said = self::said();
		if ( null === $said || $said['email'] !== strtolower( trim( $email ) ) ) {
			return null;
		}
		unset( $said['email'], $said['known'] );
		return $said;
	}

	/** The address to which reminders were allowed, also where they no longer are; "" where there is none. */
	public static function address(): string {
		$said = self::said();
		return null !== $said && $said['known'] ? $said['email'] : '';
	}

	public static function keep_with( \WC_Order $order ): void {
		$said = self::given( $order->get_billing_email() );
		if ( null !== $said ) {
			$order->update_meta_data( self::META, $said );
		}
	}

	public static function kept_with( \WC_Order $order ): ?array {
		$said = $order->get_meta( self::META );
		return is_array( $said ) ? $said : null;
	}

	private static function said(): ?array {
		$said = WC()->session ? WC()->session->get( self::SESSION ) : null;
		$said = is_array( $said ) || ! is_user_logged_in() ? $said : get_user_meta( get_current_user_id(), self::META, true );
		return is_array( $said ) ? $said : null;
	}
}
